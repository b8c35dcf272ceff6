"""
Fetch the input files that a request refers to by URL.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from krea_cli.runtime.loopback import is_loopback
from krea_cli.sandbox import local_fetch, rendering
from krea_cli.sandbox.api_error import ApiError
from krea_cli.sandbox.blob_store import TooLongError
from krea_cli.sandbox.job import JobFailure, JobInput
from krea_cli.sandbox.store import SandboxStore

_KREA = "https://s.krea.ai/"
_OWN = re.compile(r"/(uploads|results)/([0-9a-f-]{36})((?:-\w+\.\w+)?)")
_CHUNK = 1 << 16


def fetch_input(store: SandboxStore, field: str, url: str) -> JobInput:
    """
    Fetch the file at `url` into the store.

    URLs on Krea's host are not fetched: the renderer uses a built-in image.

    Raises:
        ApiError: 422 if the API would reject the URL or could not fetch it.
    """
    if url.startswith(_KREA):
        return JobInput(field=field, media_type="image/png", sha256=None)
    try:
        file = store.store_input(_bytes(store, url), any_kind=True)
    except ValueError as exc:
        raise _rejected("Invalid asset URL", field) from exc
    except (local_fetch.FetchError, TooLongError) as exc:
        raise _rejected("Input file rejected", field) from exc
    kind = file.media_type or "of an unknown kind"
    return JobInput(field=field, media_type=kind, sha256=file.sha256)


def input_failure(store: SandboxStore, given: JobInput) -> JobFailure | None:
    """
    Return why a job with this input fails, or None if the file suits its field.
    """
    reason = None
    wanted = next((kind for kind in ("video", "audio") if kind in given.field), None)
    if wanted and given.sha256 and not given.media_type.startswith(wanted):
        reason = f"it is {given.media_type}, not {wanted}"
    elif given.sha256 and not wanted and not given.field.endswith("asset_url"):
        try:
            rendering.check_picture(store.input_path(given.sha256), given.media_type)
        except rendering.UnreadablePictureError as exc:
            reason = str(exc)
    if reason is None:
        return None
    text = f"{given.field} cannot be used: {reason}."
    return JobFailure(code="input_unreadable", message=text)


def _bytes(store: SandboxStore, url: str) -> Iterator[bytes]:
    """
    Yield the content of `url`.

    Raises:
        ValueError: the sandbox does not accept this URL.
        FetchError: the file cannot be fetched.
    """
    if url.startswith("data:"):
        return iter((_data(url),))
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not is_loopback(parts.hostname or ""):
        raise ValueError(url)
    own = _stored_file(store, parts.path)
    return _read(own) if own else local_fetch.fetch(parts)


def _data(url: str) -> bytes:
    head, comma, content = url.partition(",")
    if not comma:
        raise ValueError("no data")
    if head.endswith(";base64"):
        return base64.b64decode(unquote_to_bytes(content), validate=True)
    return unquote_to_bytes(content)


def _stored_file(store: SandboxStore, path: str) -> Path | None:
    """
    Return the file of an upload or result in this store, or None for other paths.

    The port of the URL is ignored: it changes with every start.
    """
    match = _OWN.fullmatch(path)
    if not match:
        return None
    kind, name, rest = match.groups()
    if kind == "uploads":
        upload = store.upload(name)
        return store.input_path(upload.sha256) if upload else None
    job = store.job(name)
    if not job or job.status(store.now()) != "completed":
        return None
    return store.result_path(job, name + rest) if name + rest in job.files else None


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _rejected(error: str, field: str) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, error, [(field, error)])
