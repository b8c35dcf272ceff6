"""
What goes over the wire as bytes, and what comes back as values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from krea_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A whole answer of the API; header names are found in any case.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """
    An answer whose body is still to come; *peer* is the address that it comes from.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    What is here already of a file: its first *size* bytes, in the version that the
    strong entity tag *etag* names.  *length* is that of the whole file, None when the
    server did not say.
    """

    size: int
    etag: str
    length: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """
    A file on its way, from the byte *start* on.  *length* is that of the whole file and
    *etag* its strong entity tag, None when the server does not say.
    """

    chunks: Iterator[bytes]
    start: int = 0
    length: int | None = None
    etag: str | None = None


def encode(body: Mapping[str, Any]) -> bytes:
    """
    The request body as it is sent: serialised once, so that it can be hashed.

    Raises:
        UsageError: it has text that is no Unicode, or numbers that JSON has not.
    """
    try:
        text = json.dumps(
            body, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except UnicodeEncodeError as exc:
        raise UsageError("The request has text that is no valid UTF-8.") from exc
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"The request cannot be written as JSON: {exc}.") from exc
