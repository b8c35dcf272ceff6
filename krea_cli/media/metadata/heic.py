"""
HEIC: the items that describe the picture are overwritten by empty ones.

Which way up it is shown is a property of the picture itself, not of its EXIF.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from krea_cli.media.metadata import movie
from krea_cli.media.metadata.boxes import Box, Patch, boxes, patched
from krea_cli.media.metadata.pieces import DamagedError, Piece, read

# The offset of what follows, and a directory without entries.
_EXIF = b"\0\0\0\x06Exif\0\0MM\0*" + struct.pack(">IHI", 8, 0, 0)
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
# By the type of an item: what is written over its start, and over the rest.
_EMPTY = {b"Exif": (_EXIF, b"\0"), b"mime": (_XMP, b" "), b"uri ": (b"", b"\0")}

_MOST_TABLE, _MOST_PARTS = 1 << 20, 1 << 16
_IN_FILE, _IN_SMALL, _ELSEWHERE = 0, 1, 2


class _Place(NamedTuple):
    """
    Where the parts of an item lie: by *method* in the file, in the box for small items,
    or elsewhere.
    """

    item: int
    method: int
    extents: list[tuple[int, int]]


def bare(file: IO[bytes], size: int) -> Iterator[Piece]:
    """
    The pieces with empty EXIF and XMP.

    Raises:
        DamagedError: its boxes do not fit into each other.
    """
    top = list(boxes(file, 0, size))
    found = [
        patch
        for box in top
        if box.kind == b"meta"
        for patch in _item_patches(file, _inside(file, box))
    ]
    others = (box for box in top if box.kind != b"meta")
    yield from patched([*found, *movie.patches(file, others)], size)


def sides(file: IO[bytes], size: int) -> tuple[int, int] | None:
    """
    Width and height in pixels of the largest picture in the file.

    Raises:
        DamagedError: its boxes do not fit into each other.
    """
    found = [
        struct.unpack(">II", read(file, each.body + 4, 8))
        for top in boxes(file, 0, size)
        if top.kind == b"meta"
        for properties in boxes(file, top.body + 4, top.end)
        if properties.kind == b"iprp"
        for container in boxes(file, properties.body, properties.end)
        if container.kind == b"ipco"
        for each in boxes(file, container.body, container.end)
        if each.kind == b"ispe"
    ]
    return max(found, default=None)


def _inside(file: IO[bytes], meta: Box) -> dict[bytes, Box]:
    # Its content begins with a version.
    return {box.kind: box for box in boxes(file, meta.body + 4, meta.end)}


def _item_patches(file: IO[bytes], meta: dict[bytes, Box]) -> Iterator[Patch]:
    if b"iinf" not in meta or b"iloc" not in meta:
        return
    kinds = dict(_kinds(file, meta[b"iinf"]))
    for place in _places(file, meta[b"iloc"]):
        if kinds.get(place.item) not in _EMPTY:
            continue
        bases = {_IN_FILE: 0}
        if b"idat" in meta:
            bases[_IN_SMALL] = meta[b"idat"].body
        if place.method not in bases or not all(count for _, count in place.extents):
            raise DamagedError("its metadata lies in an unknown place")
        first, rest = _EMPTY[kinds[place.item]]
        for start, count in place.extents:
            at = bases[place.method] + start
            yield Patch(at, at + count, first, rest)
            first = b""


def _kinds(file: IO[bytes], box: Box) -> Iterator[tuple[int, bytes]]:
    """
    The type of each item, by its number.
    """
    version = read(file, box.body, 1)[0]
    for entry in boxes(file, box.body + (8 if version else 6), box.end):
        version = read(file, entry.body, 1)[0]
        width = 4 if version > 2 else 2
        if version >= 2:
            number = int.from_bytes(read(file, entry.body + 4, width))
            yield number, read(file, entry.body + 6 + width, 4)


def _places(file: IO[bytes], box: Box) -> Iterator[_Place]:
    """
    Where each item lies.

    Raises:
        DamagedError: the table is cut.
    """
    table = io.BytesIO(read(file, box.body, min(box.end - box.body, _MOST_TABLE)))
    parts = 0

    def number(width: int) -> int:
        data = table.read(width)
        if len(data) != width:
            raise DamagedError("the table of items is cut")
        return int.from_bytes(data)

    version, _ = number(1), number(3)
    widths = number(2)
    offset, length, base, index = (widths >> at & 15 for at in (12, 8, 4, 0))
    for _ in range(number(4 if version > 1 else 2)):
        item = number(4 if version > 1 else 2)
        method = number(2) & 15 if version else _IN_FILE
        if number(2):  # another file
            method = _ELSEWHERE
        start = number(base)
        extents = []
        count = number(2)
        parts += count
        if parts > _MOST_PARTS:
            raise DamagedError("its items have too many parts")
        for _ in range(count):
            number(index if version else 0)
            extents.append((start + number(offset), number(length)))
        yield _Place(item, method, extents)
