"""
Encode the body of a paid request: JSON, with its files as data URIs.

Files are read while the body is sent, so that a large one is never held in memory.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, Protocol

from krea_cli.api.http_types import RequestBody, encode


class InlineFile(Protocol):
    """
    A file that is a value in a body. Reading it raises InputError if it has changed.
    """

    @property
    def data_uri_bytes(self) -> int: ...

    def data_uri(self) -> Iterator[bytes]: ...


def content(body: Mapping[str, Any]) -> RequestBody:
    """
    Encode `body`, which may have InlineFiles as values, always as the same bytes. Its
    chunks raise InputError if a file has changed since it was checked: before the last
    chunk, so that nobody takes the request for complete.

    Raises:
        UsageError: as `encode`.
    """
    files: list[InlineFile] = []
    # Marks the place of a file; it occurs nowhere else.
    mark = uuid.uuid4().hex

    def marked(file: InlineFile) -> str:
        files.append(file)
        return mark

    parts = encode(body, marked).split(mark.encode())

    def chunks() -> Iterator[bytes]:
        for part, file in zip_longest(parts, files):
            yield part
            if file is not None:
                yield from file.data_uri()

    size = sum(map(len, parts)) + sum(file.data_uri_bytes for file in files)
    return RequestBody(size_bytes=size, chunks=chunks)
