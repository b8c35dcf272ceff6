"""
Respond to the routes of the API.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from krea_cli.api.models import FINISHED_STATUSES, RUNNING_STATUSES, TRAINING_PATH
from krea_cli.catalog.model import Model
from krea_cli.catalog.training import training_model
from krea_cli.sandbox import styles
from krea_cli.sandbox.api_error import ApiError
from krea_cli.sandbox.blob_store import StoredBlob, TooLongError, UnknownMediaError
from krea_cli.sandbox.job import JobFailure, SandboxJob, iso
from krea_cli.sandbox.multipart import MultipartError, MultipartParser
from krea_cli.sandbox.routes import Route, RouterHandler
from krea_cli.sandbox.store import UPLOAD_LIMIT
from krea_cli.sandbox.submission import create_job

_ID = r"([0-9A-Za-z-]+)"
_MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "glb": "model/gltf-binary",
    "wav": "audio/wav",
}
# Space for the boundaries, headers and description around an uploaded file.
_FORM_BYTES = 1 << 16
_DEFAULT_LIST_LIMIT, _MAX_LIST_LIMIT = 100, 1000
_BAD_FILE = "Invalid file type or size"


class SandboxHandler(RouterHandler):
    """
    Imitates the Krea API.
    """

    @property
    def routes(self) -> tuple[Route, ...]:
        result = r"/results/(([0-9a-f-]{36})-\w+\.\w+)"
        return (
            Route("POST", r"/generate/(.+)", self._submit, "submit"),
            Route("GET", r"/jobs", self._list_jobs, "jobs"),
            Route("GET", rf"/jobs/{_ID}", self._show_job, "job"),
            Route("DELETE", rf"/jobs/{_ID}", self._cancel_job, "cancel"),
            Route("POST", r"/assets", self._add_asset, "upload"),
            Route("GET", r"/assets", self._list_assets, "assets"),
            Route("GET", rf"/assets/{_ID}", self._show_asset, "assets"),
            Route("DELETE", rf"/assets/{_ID}", self._delete_asset, "assets"),
            Route("POST", rf"/({TRAINING_PATH})", self._submit, "submit"),
            Route("GET", r"/styles", self._list_styles, "styles"),
            Route("GET", rf"/styles/{_ID}", self._show_style, "styles"),
            Route("GET", rf"/uploads/{_ID}", self._send_upload),
            Route("GET", result, self._send_result, "result"),
        )

    def _submit(self, path: str) -> None:
        body = self.body.read_json()
        model = self._model(path, body)
        failure, seconds = None, None
        if fault := self.pop_job_fault("fails", path):
            code = fault.value or "sandbox_fault"
            failure = JobFailure(code=code, message="The sandbox injected this failure")
        if fault := self.pop_job_fault("takes", path):
            shortest, _, longest = (fault.value or "60").partition("-")
            # Seed by the body, so that equal requests take equally long.
            chance = random.Random(self.body.content)  # noqa: S311  (no secret)
            seconds = chance.uniform(float(shortest), float(longest or shortest))
        store = self.server.store
        self._send_job(create_job(store, model, body, failure=failure, seconds=seconds))

    def _model(self, path: str, body: Mapping[str, Any]) -> Model:
        if path == TRAINING_PATH:
            return training_model(body.get("model"))
        try:
            return self.server.catalog[path]
        except KeyError:
            raise ApiError(HTTPStatus.NOT_FOUND, f"Unknown model: {path}") from None

    def _list_jobs(self) -> None:
        """
        List jobs, newest first.

        The cursor is a time: the next page has the jobs created before it.
        """
        limit, before = self._limit(), self._cursor()
        status, types = self._status(), self.query.get("types")
        store = self.server.store
        now = store.now()
        found = [
            job
            for job in store.jobs()
            if (before is None or iso(job.created_at) < before)
            and (status is None or job.status(now) == status)
            and (types is None or job.type in types.split(","))
        ]
        page = found[:limit]
        cursor = iso(page[-1].created_at) if len(found) > limit else None
        items = [job.as_response(now, self.base_url) for job in page]
        self.send_json({"items": items, "next_cursor": cursor})

    def _show_job(self, job_id: str) -> None:
        self._send_job(self._job(job_id))

    def _cancel_job(self, job_id: str) -> None:
        self._send_job(self.server.store.cancel(self._job(job_id)))

    def _add_asset(self) -> None:
        file, description = self._form()
        if file is None:
            raise ApiError(HTTPStatus.BAD_REQUEST, "The form has no file")
        upload = self.server.store.add_upload(file, description)
        self.send_json(upload.as_response(self.base_url))

    def _show_asset(self, upload_id: str) -> None:
        upload = self.server.store.upload(upload_id)
        if upload is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "Asset not found")
        self.send_json(upload.as_response(self.base_url))

    def _list_assets(self) -> None:
        """
        List uploads, newest first. The cursor is a time, as for jobs.
        """
        limit, before = self._limit(), self._cursor()
        found = [
            upload
            for upload in self.server.store.uploads()
            if before is None or upload.uploaded_at < before
        ]
        page = found[:limit]
        # Keep uploads with equal times on one page, so that none is skipped.
        page += [
            each for each in found[limit:] if page[-1].uploaded_at == each.uploaded_at
        ]
        cursor = page[-1].uploaded_at if len(found) > len(page) else None
        items = [upload.as_response(self.base_url) for upload in page]
        self.send_json({"items": items, "next_cursor": cursor})

    def _delete_asset(self, upload_id: str) -> None:
        if self.server.store.upload(upload_id) is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "Asset not found")
        self.server.store.delete_upload(upload_id)
        self.send_json({"success": True, "message": "Asset deleted"})

    def _list_styles(self) -> None:
        """
        List styles: first the ones trained here, newest first, then the public ones.

        The cursor is the number of styles on the pages before.
        """
        limit, filter_by = self._limit(), self.query.get("filter", "all")
        cursor = self.query.get("cursor", "0")
        if filter_by not in styles.FILTERS:
            raise ApiError(HTTPStatus.BAD_REQUEST, "filter is not one of a style")
        start = int(cursor[:9]) if cursor.isascii() and cursor.isdigit() else 0
        ids, model = self.query.get("ids"), self.query.get("model")
        found = [
            style
            for style in styles.find_styles(self.server.store, filter_by)
            if (model is None or model in style["models"])
            and (ids is None or style["id"] in ids.split(","))
        ]
        end = start + limit
        self.send_json(
            {
                "items": found[start:end],
                "next_cursor": str(end) if len(found) > end else None,
            }
        )

    def _show_style(self, style_id: str) -> None:
        style = styles.find_style(self.server.store, style_id)
        if style is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "Style not found")
        self.send_json(style)

    def _send_upload(self, upload_id: str) -> None:
        upload = self.server.store.upload(upload_id)
        if upload is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "File not found")
        self.send_file(self.server.store.input_path(upload.sha256), upload.mime_type)

    def _send_result(self, name: str, job_id: str) -> None:
        store = self.server.store
        job = store.job(job_id)
        if (
            job is None
            or name not in job.files
            or job.status(store.now()) != "completed"
        ):
            raise ApiError(HTTPStatus.NOT_FOUND, "File not found")
        media_type = _MEDIA_TYPES[name.rpartition(".")[2]]
        self.send_file(store.result_path(job, name), media_type)

    def _job(self, job_id: str) -> SandboxJob:
        job = self.server.store.job(job_id)
        if job is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "Job not found")
        return job

    def _send_job(self, job: SandboxJob) -> None:
        data = job.as_response(self.server.store.now(), self.base_url)
        if self.fault and self.fault.name == "no-urls":
            data["result"] = {}
        self.send_json(data)

    def _form(self) -> tuple[StoredBlob | None, str | None]:
        """
        Return the file and the description from an upload form.
        """
        boundary = self.headers.get_boundary()
        if self.headers.get_content_type() != "multipart/form-data" or not boundary:
            raise ApiError(
                HTTPStatus.BAD_REQUEST, "The body is not multipart/form-data"
            )
        file, description = None, None
        try:
            for part in MultipartParser(
                self.body.read_chunks(UPLOAD_LIMIT + _FORM_BYTES), boundary
            ):
                if part.name == "file" and file is None:
                    file = self.server.store.store_input(part.chunks)
                elif part.name == "description":
                    description = b"".join(part.chunks).decode(errors="replace")
        except MultipartError as exc:
            raise ApiError(HTTPStatus.BAD_REQUEST, f"Invalid form: {exc}") from exc
        except UnknownMediaError as exc:
            raise ApiError(HTTPStatus.BAD_REQUEST, _BAD_FILE) from exc
        except TooLongError as exc:
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _BAD_FILE) from exc
        return file, description

    def _limit(self) -> int:
        given = self.query.get("limit", str(_DEFAULT_LIST_LIMIT))
        if not (
            given.isascii()
            and given.isdigit()
            and 1 <= int(given[:9]) <= _MAX_LIST_LIMIT
        ):
            raise ApiError(
                HTTPStatus.BAD_REQUEST, f"limit must be 1 to {_MAX_LIST_LIMIT}"
            )
        return int(given)

    def _cursor(self) -> str | None:
        given = self.query.get("cursor")
        if given is None:
            return None
        try:
            time = datetime.fromisoformat(given)
        except ValueError:
            raise ApiError(HTTPStatus.BAD_REQUEST, "cursor must be a time") from None
        return iso((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())

    def _status(self) -> str | None:
        given = self.query.get("status")
        if given is not None and given not in FINISHED_STATUSES | RUNNING_STATUSES:
            raise ApiError(HTTPStatus.BAD_REQUEST, "status is not one of a job")
        return given
