"""
Describe a changed file as pieces: ranges of the original, and bytes in between.

So a large file is changed and copied without being held in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from krea_cli.media.reader import DamagedError, FileReader

# A range of the original file, or bytes that are new.
ByteRange = range | bytes

_BLOCK = 1 << 20


class Overwrite(NamedTuple):
    """
    Replaces the bytes from `start` to `end` by `head`, if it fits, and then by `fill`,
    a single byte, over and over.
    """

    start: int
    end: int
    head: bytes = b""
    fill: bytes = b"\0"

    def content(self) -> Iterator[bytes]:
        """
        Yield the new bytes, in blocks, so that a large range needs little memory.
        """
        count = self.end - self.start
        if len(self.head) <= count:
            yield self.head
            count -= len(self.head)
        block = self.fill * min(count, _BLOCK)
        for _ in range(count // _BLOCK):
            yield block
        yield block[: count % _BLOCK] if block else b""


def joined(pieces: Iterable[ByteRange]) -> list[ByteRange]:
    """
    Return the pieces without empty ones, and adjacent ranges as one.
    """
    result: list[ByteRange] = []
    for piece in pieces:
        before = result[-1] if result else b""
        if (
            isinstance(piece, range)
            and isinstance(before, range)
            and before.stop == piece.start
        ):
            result[-1] = range(before.start, piece.stop)
        elif piece:
            result.append(piece)
    return result


def copy(source: IO[bytes], pieces: Iterable[ByteRange], target: IO[bytes]) -> None:
    """
    Write the pieces of `source` to `target`.

    Raises:
        DamagedError: `source` ends before one of its pieces.
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


def overwritten(
    reader: FileReader, overwrites: Iterable[Overwrite]
) -> Iterator[ByteRange]:
    """
    Yield the file as pieces with the changes made.

    Changes that make no difference are left out, so that a file without metadata stays
    one piece.

    Raises:
        DamagedError: two changes overlap, or one is outside the file.
    """
    at = 0
    for change in sorted(overwrites):
        if not at <= change.start <= change.end <= reader.size:
            raise DamagedError(f"wrong value at byte {change.start}")
        yield range(at, change.start)
        at = change.end
        if _is_made(reader, change):
            yield range(change.start, change.end)
        else:
            yield from change.content()
    yield range(at, reader.size)


def _is_made(reader: FileReader, change: Overwrite) -> bool:
    at = change.start
    for expected in change.content():
        if reader.read(at, len(expected)) != expected:
            return False
        at += len(expected)
    return True


def merged(ranges: Iterable[range]) -> list[range]:
    """
    Sort the ranges, and join those that touch.
    """
    result: list[range] = []
    for each in sorted(ranges, key=lambda each: each.start):
        if result and each.start <= result[-1].stop:
            result[-1] = range(result[-1].start, max(result[-1].stop, each.stop))
        elif each:
            result.append(each)
    return result


def gaps(kept: Iterable[range], start: int, end: int) -> Iterator[Overwrite]:
    """
    Yield what fills with zeros the bytes from `start` to `end` that are in none of the
    `kept` ranges, which must be sorted by their start.
    """
    at = start
    for each in kept:
        if each.start >= end:
            break
        if at < each.start:
            yield Overwrite(at, each.start)
        at = max(at, each.stop)
    if at < end:
        yield Overwrite(at, end)
