"""
The boxes that MP4, MOV and HEIC files are made of.

Tables in these files say by their place where pixels and sound lie, so nothing is ever
moved: what is to go is overwritten where it stands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from krea_cli.media.metadata.pieces import MOST_PARTS, DamagedError, Piece, read

# Readers pass over these.
FREE = frozenset({b"free", b"skip"})


class Box(NamedTuple):
    """
    Its head is from *start* to *body*, its content to *end*.
    """

    kind: bytes
    start: int
    body: int
    end: int


class Patch(NamedTuple):
    """
    What overwrites the bytes from *start* to *end*: *head*, if it fits in, and then
    *fill*, a single byte, over and over.
    """

    start: int
    end: int
    head: bytes
    fill: bytes


def boxes(file: IO[bytes], start: int, end: int) -> Iterator[Box]:
    """
    The boxes from *start* to *end*, without those in them.

    Raises:
        DamagedError: one is longer than what it is in.
    """
    for _ in range(MOST_PARTS):
        # QuickTime may end a list with four zero bytes.
        if end - start < 8:
            return
        length, kind = struct.unpack(">I4s", read(file, start, 8))
        body = start + 8
        if length == 1:
            (length,) = struct.unpack(">Q", read(file, body, 8))
            body += 8
        elif length == 0:
            length = end - start
        if not body <= start + length <= end:
            raise DamagedError(f"a box has {length} bytes")
        yield Box(kind, start, body, start + length)
        start += length
    raise DamagedError("it has too many boxes")


def blank(box: Box) -> Iterator[Patch]:
    """
    What makes the box one that every reader passes over, full of zeros.
    """
    if box.kind not in FREE:
        yield Patch(box.start + 4, box.start + 8, b"free", b"\0")
    yield Patch(box.body, box.end, b"", b"\0")


def patched(patches: Iterable[Patch], size: int) -> Iterator[Piece]:
    """
    A file of *size* bytes as pieces, overwritten by the patches.

    Raises:
        DamagedError: two of them are at one place, or one is outside.
    """
    at = 0
    for patch in sorted(patches):
        if not at <= patch.start <= patch.end <= size:
            raise DamagedError(f"byte {patch.start} is told to be what it is not")
        yield range(at, patch.start)
        count = patch.end - patch.start
        head = patch.head if len(patch.head) <= count else b""
        yield head + patch.fill * (count - len(head))
        at = patch.end
    yield range(at, size)
