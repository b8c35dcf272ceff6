"""
RIFF, the container of WebP and WAV: a length, and chunks with a kind and a length each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from krea_cli.media.reader import DamagedError, FileReader, count_parts

# Where the first chunk begins.
FIRST = 12
# Lengths from here on are placeholders: who writes to a pipe cannot know the length.
PLACEHOLDER = 0x7FFFF000


class Chunk(NamedTuple):
    """
    Reaches from `start` to `end`, with its padding; its content of `length` bytes
    begins eight bytes behind `start`.
    """

    kind: bytes
    start: int
    length: int
    end: int

    @property
    def place(self) -> range:
        """
        The whole chunk, as a piece of the file.
        """
        return range(self.start, self.end)


def length(reader: FileReader) -> int:
    """
    Return the length that the file says to have, without the first eight bytes.

    Raises:
        DamagedError: the file ends before.
    """
    return int.from_bytes(reader.read(4, 4), "little")


def find_end(reader: FileReader) -> int | None:
    """
    Return where the file ends by its own length, None if that is not there.
    """
    count = length(reader)
    end = 8 + count
    # Chunks are padded to an even length; some writers leave the last one odd.
    end += count % 2 and reader.size > end
    return end if count else None


def chunks(
    reader: FileReader, at: int, end: int, most: int, *, streamed: bytes = b""
) -> Iterator[Chunk]:
    """
    Yield the chunks that begin between `at` and `end`; none may reach beyond `most`.

    A chunk of the kind `streamed` may have a placeholder for its length, and reaches to
    `most` then.

    Raises:
        DamagedError: a chunk is longer.
    """
    for _ in count_parts():
        if at >= end:
            return
        kind, count = reader.unpack("<4sI", at)
        if kind == streamed and (not count or count >= PLACEHOLDER):
            count = most - at - 8
        start, at = at, at + 8 + count
        if at > most:
            raise DamagedError(f"a chunk has {count} bytes")
        at = min(at + count % 2, most)
        yield Chunk(kind, start, count, at)
