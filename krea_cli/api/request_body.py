"""
Encode the body of a paid request: JSON with files as data URIs.

Files are read while the body is sent, so even large ones are not held in memory.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, Protocol

from krea_cli.api.http_types import RequestBody, encode_json


class InlineFile(Protocol):
    """
    A file as a value in a request body. `data_uri` raises InputError if the file has
    changed.
    """

    @property
    def data_uri_bytes(self) -> int: ...

    def data_uri(self) -> Iterator[bytes]: ...


def encode_body(body: Mapping[str, Any]) -> RequestBody:
    """
    Encode `body`, whose values may be InlineFiles. The chunks are the same bytes each
    time. They raise InputError if a file has changed since it was checked, and do so
    before the last chunk, so that the service never receives a complete request.

    Raises:
        UsageError: as `encode_json`.
    """
    files: list[InlineFile] = []
    # Stands for each file in the JSON. Random, so it occurs nowhere else.
    placeholder = uuid.uuid4().hex

    def replace_file(file: InlineFile) -> str:
        files.append(file)
        return placeholder

    parts = encode_json(body, replace_file).split(placeholder.encode())

    def chunks() -> Iterator[bytes]:
        for part, file in zip_longest(parts, files):
            yield part
            if file is not None:
                yield from file.data_uri()

    size = sum(map(len, parts)) + sum(file.data_uri_bytes for file in files)
    return RequestBody(size_bytes=size, chunks=chunks)
