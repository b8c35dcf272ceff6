"""
Find the end of a GIF file.

A GIF is a list of images and extensions, each made of small blocks, and a trailer.
"""

from __future__ import annotations

from collections.abc import Iterator

from krea_cli.media.reader import DamagedError, FileReader, count_parts

# Blocks are small by design, so a large file may have many.
_BLOCK_BYTES = 64
_PICTURE, _EXTENSION, _TRAILER = b",", b"!", b";"


def _parts(reader: FileReader) -> Iterator[tuple[bytes, int]]:
    """
    Yield the type and end position of each part up to the trailer.
    """
    blocks = count_parts(extra=reader.size // _BLOCK_BYTES)
    at = 13 + _colors(reader, 10)
    for _ in count_parts():
        kind = reader.read(at, 1)
        if kind == _TRAILER:
            yield kind, at + 1
            return
        if kind == _PICTURE:
            at += 11 + _colors(reader, at + 9)
        elif kind == _EXTENSION:
            at += 2
        else:
            raise DamagedError(f"an unknown part begins at byte {at}")
        while length := reader.read(at, 1)[0]:
            next(blocks)
            at += 1 + length
        at += 1
        yield kind, at


def _colors(reader: FileReader, at: int) -> int:
    """
    Return the size in bytes of the color table announced by the flags at position `at`.
    """
    [flags] = reader.read(at, 1)
    return 6 << (flags & 7) if flags & 0x80 else 0


def find_end(reader: FileReader) -> int | None:
    """
    Return the position after the trailer, or None if no image comes before it.
    """
    has_picture, end = False, 0
    for kind, end in _parts(reader):  # noqa: B007  (used after it)
        has_picture |= kind == _PICTURE
    return end if has_picture else None
