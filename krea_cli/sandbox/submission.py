"""
From the body of `POST /generate/...` to a job.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from krea_cli.catalog.json_schema import Schema, is_url, map_texts
from krea_cli.catalog.model import Model
from krea_cli.catalog.pricing import estimate
from krea_cli.catalog.validation import find_violations
from krea_cli.sandbox import inputs
from krea_cli.sandbox.api_error import ApiError
from krea_cli.sandbox.job import Failure, Input, Medium, SandboxJob
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
        Refusal: 422, the body does not fit the schema (all its violations), or
            names a URL that the service would not fetch.
    """
    if found := find_violations(model.schema, body):
        issues = [(fault.field, fault.message) for fault in found]
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request body", issues)
    given: list[Input] = []

    def take(field: str, schema: Schema | None, text: str) -> str:
        if not (text and schema and is_url(schema)):
            return text
        given.append(inputs.take(store, field, text))
        return f"sha256:{given[-1].sha256}"

    fields = map_texts(model.schema, body, "", take)
    failures = (failure, *(inputs.failure(store, each) for each in given))
    return store.add_job(
        model=model.path,
        medium=cast(Medium, model.result_kind),
        image_format=_image_format(model, body),
        fields=fields,
        inputs=tuple(given),
        failure=next(filter(None, failures), None),
        cost_usd=price.high if (price := estimate(model, body)) else None,
    )


def _image_format(model: Model, body: Mapping[str, Any]) -> str:
    declared = model.fields.get("output_format", {})
    wanted = body.get("output_format") or declared.get("default")
    return {"jpg": "jpg", "jpeg": "jpg", "webp": "webp"}.get(str(wanted), "png")
