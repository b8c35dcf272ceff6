"""
WAV: only the sound, and how it is coded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

from krea_cli.media.metadata.pieces import MOST_PARTS, ByteRange, DamagedError, read

_DATA = b"data"
_KEPT = {b"fmt ", b"fact", _DATA}
# From here on no length is meant so: who writes to a pipe cannot know it.
_PLACEHOLDER = 0x7FFFF000


def bare(file: IO[bytes], size: int) -> Iterator[ByteRange]:
    """
    Yield the pieces of the sound without what describes it.

    Raises:
        DamagedError: its chunks do not fit into each other, or none is sound.
    """
    (length,) = struct.unpack("<I", read(file, 4, 4))
    chunks = list(_chunks(file, size))
    kept = [range(start, end) for kind, start, end in chunks if kind in _KEPT]
    if all(kind != _DATA for kind, _, _ in chunks):
        raise DamagedError("it has no sound")
    if len(kept) == len(chunks) and kept[-1].stop == size:
        yield range(size)
        return
    body = sum(len(each) for each in kept)
    is_known = 0 < length < _PLACEHOLDER
    yield b"RIFF" + struct.pack("<I", 4 + body if is_known else length) + b"WAVE"
    yield from kept


def _chunks(file: IO[bytes], size: int) -> Iterator[tuple[bytes, int, int]]:
    """
    The kind of each chunk, and where it begins and ends.
    """
    at = 12
    for _ in range(MOST_PARTS):
        if size - at < 8:
            return
        kind, count = struct.unpack("<4sI", read(file, at, 8))
        start, at = at, at + 8 + count
        if kind == _DATA and (not count or count >= _PLACEHOLDER):
            at = size
        if at > size:
            raise DamagedError(f"a chunk has {count} bytes")
        # Padded to an even length; some writers leave the last one odd.
        at = min(at + at % 2, size)
        yield kind, start, at
    raise DamagedError("it has too many chunks")
