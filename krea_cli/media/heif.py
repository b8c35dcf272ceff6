"""
HEIC by its boxes alone: how large its picture is, and whether it lies on its side.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import IO

from krea_cli.media.metadata import heic
from krea_cli.media.metadata.boxes import Box, boxes
from krea_cli.media.metadata.pieces import DamagedError, read

_MOST_TABLE = 1 << 20


def sides(file: IO[bytes]) -> tuple[int, int] | None:
    """
    Width and height in pixels, as they lie in the file; None where it is damaged.
    """
    try:
        return heic.sides(file, file.seek(0, os.SEEK_END))
    except DamagedError:
        return None


def is_on_its_side(file: IO[bytes]) -> bool:
    """
    Whether the picture is turned by a quarter to be shown: a property says so, not its
    EXIF.

    Raises:
        DamagedError: its boxes do not fit into each other.
    """
    for top in boxes(file, 0, file.seek(0, os.SEEK_END)):
        if top.kind == b"meta":
            return _is_turned(file, _inside(file, top.body + 4, top.end))
    return False


def _is_turned(file: IO[bytes], meta: dict[bytes, Box]) -> bool:
    if b"pitm" not in meta or b"iprp" not in meta:
        return False
    properties = _inside(file, meta[b"iprp"].body, meta[b"iprp"].end)
    if b"ipco" not in properties or b"ipma" not in properties:
        return False
    all_of_them = list(boxes(file, properties[b"ipco"].body, properties[b"ipco"].end))
    version = read(file, meta[b"pitm"].body, 1)[0]
    primary = int.from_bytes(read(file, meta[b"pitm"].body + 4, 4 if version else 2))
    turns = 0
    for item, index in _associations(file, properties[b"ipma"]):
        if item == primary and 0 < index <= len(all_of_them):
            found = all_of_them[index - 1]
            turns += found.kind == b"irot" and read(file, found.body, 1)[0] & 3
    return turns % 2 == 1


def _associations(file: IO[bytes], box: Box) -> Iterator[tuple[int, int]]:
    """
    The number of an item and the place of one of its properties, which counts from 1.
    """
    table = io.BytesIO(read(file, box.body, min(box.end - box.body, _MOST_TABLE)))
    head = table.read(4)
    id_bytes = 4 if head[:1] > b"\0" else 2
    index_bytes = 2 if head[3:] and head[3] & 1 else 1
    for _ in range(int.from_bytes(table.read(4))):
        item = int.from_bytes(table.read(id_bytes))
        count = table.read(1)
        if not count:
            raise DamagedError("the table of properties is cut")
        for _ in range(count[0]):
            index = int.from_bytes(table.read(index_bytes))
            # The first bit says whether readers must know the property.
            yield item, index & ((1 << 8 * index_bytes - 1) - 1)


def _inside(file: IO[bytes], start: int, end: int) -> dict[bytes, Box]:
    return {box.kind: box for box in boxes(file, start, end)}
