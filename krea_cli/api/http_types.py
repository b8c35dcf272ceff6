"""
Define request bodies and responses, and encode them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from krea_cli.errors import UsageError

# URLs and error messages of libraries are shortened to this length.
MAX_QUOTED_CHARS = 300


class Response(NamedTuple):
    """
    A complete response of the API. Header names are case-insensitive.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


class StreamedResponse(NamedTuple):
    """
    A response whose body has not been read. `peer` is the server's IP address, "" if it
    is not known.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    peer: str


class ResumePoint(NamedTuple):
    """
    The first `size` bytes of a file are on disk, in the version with the strong entity
    tag `etag`. `length` is the size of the complete file, or None if the server did not
    send it.
    """

    size: int
    etag: str
    length: int | None


class DownloadBody(NamedTuple):
    """
    A file that is being received, from byte `start` on.  `length` is the size of the
    complete file and `etag` its strong entity tag, each None if the server did not send
    it.  With `checks_end`, reading the chunks of a truncated file raises an error even
    if its length is not known.
    """

    chunks: Iterator[bytes]
    start: int = 0
    length: int | None = None
    etag: str | None = None
    checks_end: bool = False


class RequestBody(NamedTuple):
    """
    The body of a request, `size_bytes` long.  Each call of `chunks` produces it again,
    so that it can be hashed, sent and resent without being held in memory.
    """

    size_bytes: int
    chunks: Callable[[], Iterator[bytes]]


def multipart_form(
    name: str, file: RequestBody, media_type: str, *, description: str = ""
) -> tuple[str, RequestBody]:
    """
    Return the Content-Type and the body of a form with the field "file" and, unless it
    is empty, the field "description". `name` is the file name, in ASCII without quotes.
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


def encode_json(
    body: Mapping[str, Any], default: Callable[[Any], str] | None = None
) -> bytes:
    """
    Encode a request body as compact JSON. `default` returns the text for a value of a
    type that JSON does not have.

    Raises:
        UsageError: it contains lone surrogates, NaN or Infinity, or is nested too
            deeply.
    """
    try:
        text = json.dumps(
            body,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
            default=default,
        )
        return text.encode()
    except UnicodeEncodeError as exc:
        raise UsageError("The request contains text that is not valid UTF-8.") from exc
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"Cannot encode the request as JSON: {exc}.") from exc
