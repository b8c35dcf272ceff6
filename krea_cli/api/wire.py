"""
What comes back over the wire, as values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


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
