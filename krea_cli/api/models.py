"""
The values of the API.

Reading is tolerant, as the service's documents and its answers differ: a field may be
missing or null, a status may be newer than this client, a result has three shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

# The description of every upload, by which krea knows its own in the list of assets.
UPLOADED_BY_KREA = "Uploaded by krea-cli"
# What the service says is shown and kept up to these many characters.
MAX_STATUS, MAX_CODE, MAX_MESSAGE, MAX_DETAIL = 60, 100, 2000, 100
_JOB_ID = re.compile("[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
# The path of a training, which stands where other jobs have the path of their model.
TRAINING = "styles/train"
FINAL = frozenset({"completed", "failed", "cancelled"})
# So many of one job's results are saved: more are a mistake of the service.
MAX_RESULTS = 1000
# Krea bills a job when it completes.
UNBILLED = frozenset({"failed", "cancelled"})
WAITING = frozenset({"backlogged", "queued", "scheduled"})
RUNNING = frozenset(
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
    Why a job failed, in the service's words.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """
    One result on disk; *width* and *height* in pixels, None when it is no picture;
    *converted_from* is the media type received, None when it is the same.
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
    A job as every command tells it: the fields and their order are the JSON contract.

    *status* is the service's word in lower case, also one that this version does not
    know; times are ISO 8601 as sent; *cost_usd* is an estimate; *style_id* is what a
    training made.
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
        *redact* takes the token out of the service's words; its URLs stay as they are.

        Raises:
            ValueError: there is no usable id or status in it.
        """
        job_id, status = data.get("job_id"), data.get("status")
        if not (isinstance(job_id, str) and is_job_id(job_id)):
            raise ValueError("job_id")
        if not isinstance(status, str):
            raise ValueError("status")  # noqa: TRY004  (one error for all of them)
        result = data.get("result")
        result = result if isinstance(result, dict) else {}
        status = redact(cut(status.strip().lower(), MAX_STATUS))
        return cls(
            job_id=job_id,
            status="cancelled" if status == "canceled" else status,
            created_at=_words(data.get("created_at"), redact),
            completed_at=_words(data.get("completed_at"), redact),
            urls=_urls(result.get("urls")),
            error=_error(data.get("error"), redact)
            or _error(result.get("error"), redact),
            style_id=_id(result.get("style_id")),
        )

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def is_known(self) -> bool:
        return self.status in FINAL | RUNNING

    @property
    def lacks_result(self) -> bool:
        """
        Tell whether the job completed with neither a result URL nor a style.
        """
        return self.status == "completed" and not (self.urls or self.style_id)

    @property
    def created(self) -> float | None:
        """
        Return the creation time in seconds since the epoch, if the job states it.
        """
        return _seconds(self.created_at)

    @property
    def took(self) -> float | None:
        """
        Return the duration of the job in seconds, if its times make sense.
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
    A part of the list of jobs, the newest first; *cursor* leads to the next part, None
    at the end.  *ahead* says how many seconds the server's clock is ahead of ours, None
    when it does not tell the time; *is_whole* whether all of the answer could be read.
    """

    jobs: tuple[Job, ...]
    cursor: str | None
    ahead: float | None
    is_whole: bool = True

    @classmethod
    def from_json(
        cls,
        data: Mapping[str, Any],
        *,
        ahead: float | None,
        redact: Callable[[str], str] = str,
    ) -> JobPage:
        """
        Entries that cannot be read are passed over.
        """
        items, cursor = data.get("items"), data.get("next_cursor")
        is_whole = isinstance(items, list) and isinstance(cursor, str | None)
        found = []
        for item in items if isinstance(items, list) else []:
            try:
                found.append(Job.from_json(item, redact))
            except (ValueError, AttributeError):
                is_whole = False
        return cls(
            jobs=tuple(found),
            cursor=_text(cursor) or None,
            ahead=ahead,
            is_whole=is_whole,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """
    A file that the service keeps as input; None is what it does not say.

    *uploaded_by_krea* says that krea uploaded it.
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
        Raises:
            ValueError: there is no URL in it.
        """
        url = data.get("image_url")
        if not (isinstance(url, str) and re.fullmatch("https?://[!-~]+", url)):
            raise ValueError("image_url")
        return cls(
            id=_text(data.get("id")) or "",
            url=url,
            media_type=_words(data.get("mime_type"), redact),
            size_bytes=_count(data.get("size_bytes")),
            width=_count(data.get("width")),
            height=_count(data.get("height")),
            uploaded_at=_words(data.get("uploaded_at"), redact),
            uploaded_by_krea=data.get("description") == UPLOADED_BY_KREA,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """
    A trained style; None is what the service does not say. Only a style that the
    service itself offers has no *owner*.
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
        Raises:
            ValueError: there is no usable id in it.
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
            title=_words(data.get("title"), redact),
            models=tuple(redact(cut(name, MAX_DETAIL)) for name in found if name),
            public=public if isinstance(public, bool) else None,
            owner=_words(owner.get("name"), redact)
            if isinstance(owner, dict)
            else None,
            prompt=redact(cut(prompt, MAX_MESSAGE)) if prompt else None,
            cover_url=_text(data.get("cover_url")),
            like_count=_count(data.get("like_count")),
            created_at=_words(data.get("created_at"), redact),
        )


class Page(NamedTuple, Generic[T]):
    """
    A part of a list; *cursor* leads to the next part, None at the end. Entries that
    cannot be read are left out.
    """

    items: tuple[T, ...]
    cursor: str | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any], read: Callable[[Any], T]) -> Page[T]:
        """
        *read* makes an entry of its JSON, and raises ValueError or AttributeError for
        one that it cannot read.
        """
        items, found = data.get("items"), []
        for item in items if isinstance(items, list) else []:
            with suppress(ValueError, AttributeError):
                found.append(read(item))
        return cls(tuple(found), _text(data.get("next_cursor")) or None)


def is_job_id(text: str) -> bool:
    """
    Tell whether the text is safe in a path of the API and in a file name.
    """
    return _JOB_ID.fullmatch(text) is not None


def cut(text: str, most: int) -> str:
    """
    The text, or the beginning of one that has more than *most* characters.
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


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


def _words(value: object, redact: Callable[[str], str]) -> str | None:
    return redact(cut(value, MAX_DETAIL)) if isinstance(value, str) else None


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
    code = redact(cut(_text(error.get("code")) or "", MAX_CODE))
    message = redact(cut(_text(error.get("message")) or "", MAX_MESSAGE))
    return JobError(code=code, message=message or code) if code or message else None
