"""
Walk a list of chunks, each with a kind and a length: PNG, WebP, WAV and GLB are such
lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from krea_cli.media.reader import DamagedError, FileReader, count_parts

HEAD_BYTES = 8
# Lengths from here on are placeholders: who writes to a pipe cannot know the length.
PLACEHOLDER = 0x7FFFF000


@dataclass(frozen=True, slots=True)
class Layout:
    """
    The layout of chunks: the `struct` formats of type and length in either order, the
    number of bytes after the content, and the multiple that the size is padded to.
    """

    head: str
    tail_bytes: int = 0
    alignment: int = 1


class Chunk(NamedTuple):
    """
    A chunk from `start` to `end`, with padding; its content has `length` bytes from
    `body` on.
    """

    kind: bytes
    start: int
    body: int
    length: int
    end: int

    @property
    def place(self) -> range:
        """
        The whole chunk, as a piece of the file.
        """
        return range(self.start, self.end)


def walk(
    reader: FileReader,
    layout: Layout,
    at: int,
    *,
    end: int | None = None,
    most: int | None = None,
    streamed: bytes = b"",
) -> Iterator[Chunk]:
    """
    Yield the chunks that begin between `at` and `end`; none may reach beyond `most`.
    Both are the end of the file unless given.

    A chunk of the kind `streamed` may have a placeholder for its length, and reaches to
    `most` then.

    Raises:
        DamagedError: a chunk is longer.
    """
    most = reader.size if most is None else most
    end = most if end is None else end
    for _ in count_parts():
        if at >= end:
            return
        kind, length = reader.unpack(layout.head, at)
        if isinstance(kind, int):
            kind, length = length, kind
        body = at + HEAD_BYTES
        if kind == streamed and (not length or length >= PLACEHOLDER):
            length = most - body
        stop = body + length + layout.tail_bytes
        if stop > most:
            raise DamagedError(f"a chunk has {length} bytes")
        # Some writers leave the last one without its padding.
        stop = min(stop + -length % layout.alignment, most)
        yield Chunk(kind, at, body, length, stop)
        at = stop
