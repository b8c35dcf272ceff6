"""
A file in pieces: what stays of it, by its place, and bytes that stand for the rest.

So a large file is looked through and copied without being held in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

# Places in the file, or bytes that are not of it.
ByteRange = range | bytes

# No picture has so many parts; one that has is there to keep us busy.
MOST_PARTS = 1 << 18
_CHUNK = 1 << 20


class DamagedError(ValueError):
    """
    The file is not built as its kind must be.
    """


def read(file: IO[bytes], at: int, count: int) -> bytes:
    """
    Exactly *count* bytes from the place *at* on.

    Raises:
        DamagedError: there are fewer.
    """
    file.seek(at)
    data = file.read(count)
    if len(data) != count:
        raise DamagedError(f"it ends before byte {at + count}")
    return data


def joined(pieces: Iterable[ByteRange]) -> list[ByteRange]:
    """
    The same, with places that follow each other as one.
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
    Raises:
        DamagedError: *source* ends before one of its pieces.
    """
    for piece in pieces:
        if isinstance(piece, bytes):
            target.write(piece)
            continue
        for at in range(piece.start, piece.stop, _CHUNK):
            target.write(read(source, at, min(_CHUNK, piece.stop - at)))
