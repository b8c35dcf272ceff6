"""
Encode the body of a paid request: JSON, with local files as data URIs.  Files are read
while they are sent, so that a large one is never held in memory.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from krea_cli.api.http_types import RequestBody, encode
from krea_cli.inputs.local_file import LocalFile


def content(body: Mapping[str, Any]) -> RequestBody:
    """
    Return the same bytes for the same *body*, which may have a LocalFile as a value.

    Its chunks raise InputError if a file has changed since it was checked.  That comes
    before the last chunk, so that no server takes the request for complete.

    Raises:
        UsageError: as `encode`.
    """
    images: list[LocalFile] = []
    # Stands for an image, and nowhere else.
    mark = uuid.uuid4().hex

    def marked(image: LocalFile) -> str:
        images.append(image)
        return mark

    parts = encode(body, marked).split(mark.encode())

    def chunks() -> Iterator[bytes]:
        for part, image in zip_longest(parts, images):
            yield part
            if image is not None:
                yield from image.data_uri()

    size = sum(map(len, parts)) + sum(image.data_uri_bytes for image in images)
    return RequestBody(size_bytes=size, chunks=chunks)
