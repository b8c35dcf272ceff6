"""
From the body of `POST /generate/...` to a job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from krea_cli.catalogue.model import Model
from krea_cli.catalogue.pricing import estimate
from krea_cli.catalogue.validation import faults
from krea_cli.sandbox import inputs
from krea_cli.sandbox.lifecycle import Failure, Input, Medium, SandboxJob
from krea_cli.sandbox.refusals import Refusal
from krea_cli.sandbox.store import SandboxStore


def submit(
    store: SandboxStore,
    model: Model,
    body: Mapping[str, Any],
    *,
    failure: Failure | None = None,
) -> SandboxJob:
    """
    A new job of the store.  An input file that cannot be used makes a job that fails,
    as at the service; so does a *failure* that it is to have.

    Raises:
        Refusal: 422, the body does not fit the model's schema (with all its faults), or
            names a URL that the service would not fetch.
    """
    if found := faults(model.schema, body):
        issues = [(fault.field, fault.message) for fault in found]
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request body", issues)
    given: list[Input] = []

    def take(field: str, url: str) -> str:
        given.append(inputs.take(store, field, url))
        return f"sha256:{given[-1].sha256}"

    fields = _with_files(model.schema, body, "", take)
    failures = (failure, *(inputs.failure(store, each) for each in given))
    return store.add_job(
        model=model.path,
        medium=_medium(model),
        image_format=_image_format(model, body),
        fields=fields,
        inputs=tuple(given),
        failure=next(filter(None, failures), None),
        cost_usd=estimate(model, body),
    )


def _medium(model: Model) -> Medium:
    if model.kind == "enhance":
        return "video" if "video_url" in model.fields else "image"
    media: dict[str, Medium] = {"video": "video", "3d": "3d", "audio": "audio"}
    return media.get(model.kind, "image")


def _image_format(model: Model, body: Mapping[str, Any]) -> str:
    declared = model.fields.get("output_format", {})
    wanted = body.get("output_format") or declared.get("default")
    return {"jpg": "jpg", "jpeg": "jpg", "webp": "webp"}.get(str(wanted), "png")


def _with_files(
    schema: Mapping[str, Any], value: Any, at: str, take: Callable[[str, str], str]
) -> Any:
    """
    The value with each URL of a file replaced by what *take* gives for it.
    """
    forms = [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if isinstance(value, str):
        is_url = value and any(form.get("format") == "uri" for form in forms)
        return take(at, value) if is_url else value
    if isinstance(value, list):
        items = _first(forms, "items")
        return [
            _with_files(items, each, f"{at}[{index}]", take)
            for index, each in enumerate(value)
        ]
    if isinstance(value, dict):
        fields = _first(forms, "properties")
        return {
            name: _with_files(
                fields.get(name, {}), each, f"{at}.{name}" if at else name, take
            )
            for name, each in value.items()
        }
    return value


def _first(forms: list[Mapping[str, Any]], keyword: str) -> Mapping[str, Any]:
    return next((form[keyword] for form in forms if keyword in form), {})
