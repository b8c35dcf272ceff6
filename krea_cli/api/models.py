"""
Define the resources of the API, and read them from JSON.

Reading is tolerant, because real responses differ from the service's documentation: a
field may be missing or null, a status may be newer than this client, and result URLs
have three shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

# Uploads get this description, by which krea recognizes them in the list of assets.
UPLOADED_BY_KREA = "Uploaded by krea-cli"
# Longer text from the service is truncated.
MAX_STATUS, MAX_CODE, MAX_MESSAGE, MAX_DETAIL = 60, 100, 2000, 100
_JOB_ID = re.compile("[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
# Trainings have this path instead of the path of a model.
TRAINING_PATH = "styles/train"
FINISHED_STATUSES = frozenset({"completed", "failed", "cancelled"})
# If a job has more results, the rest are not saved: the service made a mistake.
MAX_RESULTS = 1000
# Krea bills a job when it completes.
UNBILLED_STATUSES = frozenset({"failed", "cancelled"})
QUEUED_STATUSES = frozenset({"backlogged", "queued", "scheduled"})
RUNNING_STATUSES = frozenset(
    {
        "backlogged",
        "queued",
        "scheduled",
        "processing",
        "sampling",
        "intermediate-complete",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """
    The reason that the service gives for a failed job.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """
    A result on disk. `width` and `height` are in pixels, None unless it is a picture.
    `converted_from` is the media type received, or None if the file was not converted.
    """

    path: str
    url: str
    media_type: str
    size_bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    converted_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """
    A job. The names and order of the fields are those of the JSON output, which is a
    contract.

    `status` is the service's status in lower case, and may be one that this version
    does not know. Times are in ISO 8601, as sent. `cost_usd` is an estimate. `style_id`
    is the result of a training.
    """

    job_id: str
    status: str
    model: str | None = None
    created_at: str | None = None
    completed_at: str | None = None
    urls: tuple[str, ...] = ()
    files: tuple[SavedFile, ...] = ()
    cost_usd: float | None = None
    seed: int | None = None
    error: JobError | None = None
    style_id: str | None = None

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], redact: Callable[[str], str] = str
    ) -> Job:
        """
        Read a job. `redact` removes the token from texts; URLs stay unchanged.

        Raises:
            ValueError: the id or status is missing or invalid. The message is the name
                of the field.
        """
        job_id, status = data.get("job_id"), data.get("status")
        if not (isinstance(job_id, str) and is_job_id(job_id)):
            raise ValueError("job_id")
        if not isinstance(status, str):
            raise ValueError("status")  # noqa: TRY004  (one error for all of them)
        result = data.get("result")
        result = result if isinstance(result, dict) else {}
        status = redact(truncate(status.strip().lower(), MAX_STATUS))
        return cls(
            job_id=job_id,
            status="cancelled" if status == "canceled" else status,
            created_at=_detail(data.get("created_at"), redact),
            completed_at=_detail(data.get("completed_at"), redact),
            urls=_urls(result.get("urls")),
            error=_error(data.get("error"), redact)
            or _error(result.get("error"), redact),
            style_id=_id(result.get("style_id")),
        )

    @property
    def is_final(self) -> bool:
        return self.status in FINISHED_STATUSES

    @property
    def is_known(self) -> bool:
        return self.status in FINISHED_STATUSES | RUNNING_STATUSES

    @property
    def lacks_result(self) -> bool:
        """
        Return True for a completed job without result URLs and without a style.
        """
        return self.status == "completed" and not (self.urls or self.style_id)

    @property
    def created(self) -> float | None:
        """
        Return the creation time in seconds since the epoch, or None if it is not known.
        """
        return _seconds(self.created_at)

    @property
    def duration(self) -> float | None:
        """
        Return the duration in seconds, or None if a time is missing or out of order.
        """
        began, ended = self.created, _seconds(self.completed_at)
        if began is None or ended is None or ended < began:
            return None
        return ended - began

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """
    One page of the list of jobs, newest first.  `cursor` leads to the next page, None
    on the last.  `clock_skew` is the number of seconds by which the server's clock is
    ahead of ours, or None if unknown.  `is_complete` is False if an entry could not be
    read.
    """

    jobs: tuple[Job, ...]
    cursor: str | None
    clock_skew: float | None
    is_complete: bool = True

    @classmethod
    def from_json(
        cls,
        data: Mapping[str, Any],
        *,
        clock_skew: float | None,
        redact: Callable[[str], str] = str,
    ) -> JobPage:
        """
        Read a page. Skip entries that cannot be read.
        """
        items, cursor = data.get("items"), data.get("next_cursor")
        is_complete = isinstance(items, list) and isinstance(cursor, str | None)
        found = []
        for item in items if isinstance(items, list) else []:
            try:
                found.append(Job.from_json(item, redact))
            except (ValueError, AttributeError):
                is_complete = False
        return cls(
            jobs=tuple(found),
            cursor=_text(cursor) or None,
            clock_skew=clock_skew,
            is_complete=is_complete,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """
    An uploaded file. Fields are None if the service does not send them.
    """

    id: str
    url: str
    media_type: str | None = None
    size_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    uploaded_at: str | None = None
    uploaded_by_krea: bool = False

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], redact: Callable[[str], str] = str
    ) -> Asset:
        """
        Read an asset.

        Raises:
            ValueError: the URL is missing or invalid.
        """
        url = data.get("image_url")
        if not (isinstance(url, str) and re.fullmatch("https?://[!-~]+", url)):
            raise ValueError("image_url")
        return cls(
            id=_text(data.get("id")) or "",
            url=url,
            media_type=_detail(data.get("mime_type"), redact),
            size_bytes=_count(data.get("size_bytes")),
            width=_count(data.get("width")),
            height=_count(data.get("height")),
            uploaded_at=_detail(data.get("uploaded_at"), redact),
            uploaded_by_krea=data.get("description") == UPLOADED_BY_KREA,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """
    A style. Fields are None if the service does not send them. Styles of Krea itself
    have no `owner`.
    """

    id: str
    title: str | None = None
    models: tuple[str, ...] = ()
    public: bool | None = None
    owner: str | None = None
    prompt: str | None = None
    cover_url: str | None = None
    like_count: int | None = None
    created_at: str | None = None

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], redact: Callable[[str], str] = str
    ) -> Style:
        """
        Read a style.

        Raises:
            ValueError: the id is missing or invalid.
        """
        style_id = _id(data.get("id"))
        if style_id is None:
            raise ValueError("id")
        models, owner, public = (
            data.get("models"),
            data.get("owner"),
            data.get("public"),
        )
        found = map(_text, models if isinstance(models, list) else ())
        prompt = _text(data.get("prompt"))
        return cls(
            id=style_id,
            title=_detail(data.get("title"), redact),
            models=tuple(redact(truncate(name, MAX_DETAIL)) for name in found if name),
            public=public if isinstance(public, bool) else None,
            owner=_detail(owner.get("name"), redact)
            if isinstance(owner, dict)
            else None,
            prompt=redact(truncate(prompt, MAX_MESSAGE)) if prompt else None,
            cover_url=_text(data.get("cover_url")),
            like_count=_count(data.get("like_count")),
            created_at=_detail(data.get("created_at"), redact),
        )


class Page(NamedTuple, Generic[T]):
    """
    One page of a list. `cursor` leads to the next page, None on the last.
    """

    items: tuple[T, ...]
    cursor: str | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any], read: Callable[[Any], T]) -> Page[T]:
        """
        Read a page, each entry with `read`. Skip entries for which it raises ValueError
        or AttributeError.
        """
        items, found = data.get("items"), []
        for item in items if isinstance(items, list) else []:
            with suppress(ValueError, AttributeError):
                found.append(read(item))
        return cls(tuple(found), _text(data.get("next_cursor")) or None)


def is_job_id(text: str) -> bool:
    """
    Return True for an id that is safe in a path of the API and in a file name.
    """
    return _JOB_ID.fullmatch(text) is not None


def truncate(text: str, max_chars: int) -> str:
    """
    Shorten text to `max_chars` characters.
    """
    return text if len(text) <= max_chars else f"{text[: max_chars - 1]}…"


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and is_job_id(value) else None


def _count(value: object) -> int | None:
    return value if type(value) is int else None


def _seconds(time: str | None) -> float | None:
    try:
        moment = datetime.fromisoformat(time or "")
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.timestamp()
    except (ValueError, OverflowError):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _detail(value: object, redact: Callable[[str], str]) -> str | None:
    return redact(truncate(value, MAX_DETAIL)) if isinstance(value, str) else None


def _urls(urls: object) -> tuple[str, ...]:
    """
    Return the result URLs of any shape: a list of strings, a list of objects with
    "type" and "url" (previews are skipped when there is a model), or an object that has
    one of these, or a single string, for each name.
    """
    if isinstance(urls, dict):
        named = [each if isinstance(each, list) else [each] for each in urls.values()]
        urls = [url for each in named for url in each]
    if not isinstance(urls, list):
        return ()
    entries = [
        (entry.get("type"), entry.get("url"))
        if isinstance(entry, dict)
        else (None, entry)
        for entry in urls
    ]
    if any(kind == "model" for kind, _ in entries):
        entries = [entry for entry in entries if entry[0] != "preview"]
    return tuple(url for _, url in entries if isinstance(url, str) and url.strip())


def _error(error: object, redact: Callable[[str], str]) -> JobError | None:
    if isinstance(error, str):
        error = {"message": error}
    if not isinstance(error, dict):
        return None
    code = redact(truncate(_text(error.get("code")) or "", MAX_CODE))
    message = redact(truncate(_text(error.get("message")) or "", MAX_MESSAGE))
    return JobError(code=code, message=message or code) if code or message else None
