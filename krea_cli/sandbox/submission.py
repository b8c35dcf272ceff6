"""
Create jobs from the bodies of `POST /generate/...`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from krea_cli.api.models import TRAINING_PATH
from krea_cli.catalog.json_schema import Schema, is_url, map_texts
from krea_cli.catalog.model import Model
from krea_cli.catalog.pricing import estimate
from krea_cli.catalog.validation import find_violations
from krea_cli.sandbox import inputs
from krea_cli.sandbox.api_error import ApiError
from krea_cli.sandbox.job import JobFailure, JobInput, Medium, SandboxJob
from krea_cli.sandbox.store import SandboxStore
from krea_cli.sandbox.styles import find_style


def create_job(
    store: SandboxStore,
    model: Model,
    body: Mapping[str, Any],
    *,
    failure: JobFailure | None = None,
    seconds: float | None = None,
) -> SandboxJob:
    """
    Create and store a job.

    It will fail with `failure`, or if an input file is unusable, as at Krea. `seconds`
    overrides its duration.

    Raises:
        ApiError: 422 if the body violates the model's schema (all violations are
            listed), has a URL that Krea would not fetch, or has an unknown style. 400
            if the body of a training violates the schema.
    """
    if found := find_violations(model.schema, body):
        issues = [(violation.field, violation.message) for violation in found]
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if model.path == TRAINING_PATH:
            status = HTTPStatus.BAD_REQUEST
        raise ApiError(status, "Invalid request body", issues)
    # How Krea rejects an unknown style is undocumented.
    for at, style in enumerate(body.get("styles") or ()):
        if not find_style(store, style["id"]):
            field = f"styles.{at}.id"
            raise ApiError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "Style not found",
                [(field, "Style not found")],
            )
    given: list[JobInput] = []

    def fetch(field: str, schema: Schema | None, text: str) -> str:
        if not (text and schema and is_url(schema)):
            return text
        given.append(inputs.fetch_input(store, field, text))
        return f"sha256:{given[-1].sha256}"

    try:
        fields = map_texts(model.schema, body, "", fetch)
    except ApiError as exc:
        # The API documentation has no 422 for trainings.
        if model.path == TRAINING_PATH:
            raise ApiError(
                HTTPStatus.BAD_REQUEST,
                exc.body["error"],
                [(each["path"], each["message"]) for each in exc.body["issues"]],
            ) from exc
        raise
    failures = (failure, *(inputs.input_failure(store, each) for each in given))
    return store.add_job(
        model=model.path,
        medium="style"
        if model.path == TRAINING_PATH
        else cast(Medium, model.result_kind),
        image_format=_image_format(model, body),
        fields=fields,
        inputs=tuple(given),
        failure=next(filter(None, failures), None),
        cost_usd=price.high if (price := estimate(model, body)) else None,
        seconds=seconds,
    )


def _image_format(model: Model, body: Mapping[str, Any]) -> str:
    declared = model.fields.get("output_format", {})
    wanted = body.get("output_format") or declared.get("default")
    return {"jpg": "jpg", "jpeg": "jpg", "webp": "webp"}.get(str(wanted), "png")
