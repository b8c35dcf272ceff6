"""
Walk files that are lists of typed chunks with lengths: PNG, WebP, WAV and GLB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from krea_cli.media.reader import DamagedError, FileReader, count_parts

HEAD_BYTES = 8
# Lengths from this value on are placeholders: a program that writes to a pipe cannot
# know the length.
PLACEHOLDER = 0x7FFFF000


class Layout(NamedTuple):
    """
    How a format lays out its chunks.

    `head` is the `struct` format of type and length, in either order. `tail_bytes`
    follow the content. The total size is padded to a multiple of `alignment`.
    """

    head: str
    tail_bytes: int = 0
    alignment: int = 1


class Chunk(NamedTuple):
    """
    A chunk that spans `start` to `end`, padding included. Its content has `length`
    bytes and begins at `body`.
    """

    kind: bytes
    start: int
    body: int
    length: int
    end: int

    @property
    def place(self) -> range:
        """
        Byte range of the whole chunk.
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
    Yield the chunks that begin between `at` and `end`.

    No chunk may extend beyond `most`. Both limits default to the end of the file. A
    chunk of type `streamed` may have a placeholder length; it then extends to `most`.

    Raises:
        DamagedError: a chunk extends beyond `most`.
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
        # Some programs omit the padding of the last chunk.
        stop = min(stop + -length % layout.alignment, most)
        yield Chunk(kind, at, body, length, stop)
        at = stop
