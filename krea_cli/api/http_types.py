"""
Requests as bytes, and responses as values.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from krea_cli.errors import UsageError

# A URL or an error of a library is shown to this many characters.
SHOWN = 300


class Response(NamedTuple):
    """
    A whole answer of the API; header names are found in any case.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


class StreamedResponse(NamedTuple):
    """
    An answer whose body is still to come; *peer* is the address that it comes from.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    peer: str


class ResumePoint(NamedTuple):
    """
    The part of a file that is on disk: its first *size* bytes, in the version with the
    strong entity tag *etag*. *length* is the length of the whole file, None if the
    server did not say.
    """

    size: int
    etag: str
    length: int | None


class DownloadBody(NamedTuple):
    """
    A file on its way, from the byte *start* on.  *length* is that of the whole file and
    *etag* its strong entity tag, None when the server does not say.  *checks_end* says
    that reading the chunks fails where the file was cut, although its length is not
    known.
    """

    chunks: Iterator[bytes]
    start: int = 0
    length: int | None = None
    etag: str | None = None
    checks_end: bool = False


class RequestBody(NamedTuple):
    """
    The body of a request, of *size_bytes* in all.  Each call of *chunks* makes it anew,
    so that it is hashed, sent, and sent again without being held in memory.
    """

    size_bytes: int
    chunks: Callable[[], Iterator[bytes]]


def form(
    name: str, file: RequestBody, media_type: str, *, description: str = ""
) -> tuple[str, RequestBody]:
    """
    A form with *file* as its field "file", under a *name* of plain letters, and with
    the *description*, if there is one: the Content-Type of the form, and the form.
    """
    boundary = uuid.uuid4().hex
    described = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="description"\r\n\r\n'
        f"{description}\r\n"
    )
    head = (
        f"{described if description else ''}"
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()

    def chunks() -> Iterator[bytes]:
        yield head
        yield from file.chunks()
        yield tail

    size = len(head) + file.size_bytes + len(tail)
    content_type = f"multipart/form-data; boundary={boundary}"
    return content_type, RequestBody(size_bytes=size, chunks=chunks)


def encode(
    body: Mapping[str, Any], stand_in: Callable[[Any], str] | None = None
) -> bytes:
    """
    The request body as JSON; *stand_in* gives the text for a value that JSON has not.

    Raises:
        UsageError: it has text that is no Unicode, or numbers that JSON has not.
    """
    try:
        text = json.dumps(
            body,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
            default=stand_in,
        )
        return text.encode()
    except UnicodeEncodeError as exc:
        raise UsageError("The request contains text that is not valid UTF-8.") from exc
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"Cannot encode the request as JSON: {exc}.") from exc
