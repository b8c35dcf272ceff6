"""
Describe a changed file as pieces: ranges of the original, and new bytes between them.

This way a large file can be changed and copied without loading it into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import IO, NamedTuple

from krea_cli.media.reader import DamagedError, FileReader

# A range of the original file, or new bytes.
ByteRange = range | bytes

_BLOCK = 1 << 20


class Overwrite(NamedTuple):
    """
    New content for the bytes from `start` to `end`.

    The content is `head`, if it fits, and then the single byte `fill` repeated.
    """

    start: int
    end: int
    head: bytes = b""
    fill: bytes = b"\0"

    def content(self) -> Iterator[bytes]:
        """
        Yield the new bytes in blocks, so that a large range needs little memory.
        """
        count = self.end - self.start
        if len(self.head) <= count:
            yield self.head
            count -= len(self.head)
        block = self.fill * min(count, _BLOCK)
        for _ in range(count // _BLOCK):
            yield block
        yield block[: count % _BLOCK] if block else b""


def join_pieces(reader: FileReader, pieces: Iterable[ByteRange]) -> list[ByteRange]:
    """
    Merge adjacent ranges, and drop empty pieces.

    New bytes that equal the original ones become a range, so an unchanged file becomes
    a single piece.
    """
    result: list[ByteRange] = []
    at = 0
    for piece in filter(None, pieces):
        place = piece if isinstance(piece, range) else range(at, at + len(piece))
        at = place.stop
        if isinstance(piece, bytes) and reader.peek(place.start, len(piece)) != piece:
            result.append(piece)
            continue
        before = result[-1] if result else b""
        if isinstance(before, range) and before.stop == place.start:
            result[-1] = range(before.start, place.stop)
        else:
            result.append(place)
    return result


def copy(source: IO[bytes], pieces: Iterable[ByteRange], target: IO[bytes]) -> None:
    """
    Write the pieces of `source` to `target`.

    Raises:
        DamagedError: `source` ends before one of its pieces does.
    """
    for piece in pieces:
        if isinstance(piece, bytes):
            target.write(piece)
            continue
        source.seek(piece.start)
        for at in range(piece.start, piece.stop, _BLOCK):
            block = source.read(min(_BLOCK, piece.stop - at))
            if not block:
                raise DamagedError(f"it ends before byte {piece.stop}")
            target.write(block)


def apply_overwrites(
    place: range, overwrites: Iterable[Overwrite]
) -> Iterator[ByteRange]:
    """
    Yield the pieces of the range `place` with all overwrites applied.

    Raises:
        DamagedError: two overwrites overlap, or one is outside the range.
    """
    at = place.start
    for change in sorted(overwrites):
        if not at <= change.start <= change.end <= place.stop:
            raise DamagedError(f"wrong value at byte {change.start}")
        yield range(at, change.start)
        yield from change.content()
        at = change.end
    yield range(at, place.stop)


def merge_ranges(ranges: Iterable[range]) -> list[range]:
    """
    Sort the ranges, and join overlapping and adjacent ones.
    """
    result: list[range] = []
    for each in sorted(ranges, key=lambda each: each.start):
        if result and each.start <= result[-1].stop:
            result[-1] = range(result[-1].start, max(result[-1].stop, each.stop))
        elif each:
            result.append(each)
    return result


def zero_gaps(kept: Iterable[range], start: int, end: int) -> Iterator[Overwrite]:
    """
    Yield overwrites that zero all bytes from `start` to `end` outside the `kept`
    ranges.
    """
    outside = (range(-1, start), range(end, end + 1))
    inside = (each for each in kept if each.start < end)
    for before, after in pairwise(merge_ranges([*outside, *inside])):
        yield Overwrite(before.stop, after.start)
