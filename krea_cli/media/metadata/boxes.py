"""
The boxes that MP4, MOV and HEIC files are made of.

Tables in these files say by their place where pixels and sound lie, so nothing is ever
moved: what is to go is overwritten where it stands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from krea_cli.media.metadata.pieces import MOST_PARTS, ByteRange, DamagedError, read

# Readers pass over these.
FREE = frozenset({b"free", b"skip", b"wide"})
_BLOCK = 1 << 20


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


def patched(
    file: IO[bytes], patches: Iterable[Patch], size: int
) -> Iterator[ByteRange]:
    """
    Yield a file of `size` bytes as pieces, overwritten by the patches.

    Patches that change nothing are left out, so that a file without metadata stays one
    piece.

    Raises:
        DamagedError: two patches overlap, or one is outside.
    """
    at = 0
    for patch in sorted(patches):
        if not at <= patch.start <= patch.end <= size:
            raise DamagedError(f"wrong value at byte {patch.start}")
        yield range(at, patch.start)
        at = patch.end
        if _is_written(file, patch):
            yield range(patch.start, patch.end)
        else:
            yield from _content(patch)
    yield range(at, size)


def gaps(kept: Iterable[range], start: int, end: int) -> Iterator[Patch]:
    """
    Yield the patches that fill with zeros what lies between `start` and `end`, and in
    none of the `kept` ranges, which must be sorted by their start.
    """
    at = start
    for each in kept:
        if each.start >= end:
            break
        if at < each.start:
            yield Patch(at, each.start, b"", b"\0")
        at = max(at, each.stop)
    if at < end:
        yield Patch(at, end, b"", b"\0")


def _content(patch: Patch) -> Iterator[bytes]:
    count = patch.end - patch.start
    if len(patch.head) <= count:
        yield patch.head
        count -= len(patch.head)
    # The same block again and again, so that a large patch needs little memory.
    block = patch.fill * min(count, _BLOCK)
    for _ in range(count // _BLOCK):
        yield block
    yield block[: count % _BLOCK] if block else b""


def _is_written(file: IO[bytes], patch: Patch) -> bool:
    at = patch.start
    for expected in _content(patch):
        if read(file, at, len(expected)) != expected:
            return False
        at += len(expected)
    return True
