"""
Strip everything but the audio of WAV files, and recognize streamed ones.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from krea_cli.media import riff
from krea_cli.media.chunks import HEAD_BYTES, PLACEHOLDER, Chunk, walk
from krea_cli.media.file_pieces import ByteRange
from krea_cli.media.reader import DamagedError, FileReader

find_end = riff.find_end

_SOUND = b"data"
_KEPT = {b"fmt ", b"fact", _SOUND}


def _chunks(reader: FileReader) -> Iterator[Chunk]:
    # Fewer than eight bytes at the end are not a chunk.
    end = reader.size - HEAD_BYTES + 1
    return walk(reader, riff.CHUNKS, riff.FIRST, end=end, streamed=_SOUND)


def is_streamed(reader: FileReader) -> bool:
    """
    Return whether the file has audio of a length that its writer did not know.

    Raises:
        DamagedError: the file is truncated.
    """
    if 0 < riff.length(reader) < PLACEHOLDER:
        return False
    return any(chunk.kind == _SOUND and chunk.length for chunk in _chunks(reader))


def strip(reader: FileReader) -> Iterator[ByteRange]:
    """
    Yield the pieces with the audio and its format.

    Raises:
        DamagedError: the chunks are inconsistent, or none contains audio.
    """
    chunks = list(_chunks(reader))
    kept = [chunk for chunk in chunks if chunk.kind in _KEPT]
    if all(chunk.kind != _SOUND for chunk in kept):
        raise DamagedError("it has no audio data")
    if kept == chunks and kept[-1].end == reader.size:
        # The stated length may be wrong, which is harmless.
        yield range(reader.size)
        return
    length = riff.length(reader)
    if 0 < length < PLACEHOLDER:
        length = 4 + sum(len(chunk.place) for chunk in kept)
    yield b"RIFF" + struct.pack("<I", length) + b"WAVE"
    yield from (chunk.place for chunk in kept)
