"""
WebP: only what decoders need to show the same pixels in the same colours.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

from krea_cli.media.metadata.exif import turned
from krea_cli.media.metadata.pieces import MOST_PARTS, DamagedError, Piece, read

_HEADER = b"VP8X"
_KEPT = {_HEADER, b"VP8 ", b"VP8L", b"ICCP", b"ANIM", b"ANMF", b"ALPH"}
# What the header says that there is.
_HAS_EXIF, _HAS_XMP = 0x08, 0x04
_MOST_EXIF = 1 << 16


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    end: int


def bare(file: IO[bytes], size: int) -> Iterator[Piece]:
    """
    The pieces without what describes the picture, and without what lies behind its end.

    Raises:
        DamagedError: it is no WebP that can be followed to its end.
    """
    chunks = list(_chunks(file, size))
    kept = [chunk for chunk in chunks if chunk.kind in _KEPT]
    if kept == chunks and size == (chunks[-1].end if chunks else 12):
        yield range(size)
        return
    # Decoders believe the header, so without one there is no EXIF.
    has_header = any(chunk.kind == _HEADER for chunk in kept)
    exif = _turned(file, chunks) if has_header else b""
    body = sum(chunk.end - chunk.start for chunk in kept)
    yield b"RIFF" + struct.pack("<I", 4 + body + body % 2 + len(exif)) + b"WEBP"
    for chunk in kept:
        if chunk.kind == _HEADER:
            yield from _header(file, chunk, has_exif=bool(exif))
        else:
            yield range(chunk.start, chunk.end)
    yield bytes(body % 2)
    yield exif


def _chunks(file: IO[bytes], size: int) -> Iterator[_Chunk]:
    (length,) = struct.unpack("<I", read(file, 4, 4))
    at = 12
    for _ in range(MOST_PARTS):
        if at >= min(8 + length, size):
            break
        kind, count = struct.unpack("<4sI", read(file, at, 8))
        start, at = at, at + 8 + count
        if at > size:
            raise DamagedError(f"a chunk has {count} bytes")
        # Padded to an even length; some writers leave the last one odd.
        at = min(at + count % 2, size)
        yield _Chunk(kind, start, at)
    # The same writers count the padding, all the same.
    if size + 1 < 8 + length or at < min(8 + length, size):
        raise DamagedError(f"it does not end at byte {8 + length}")


def _turned(file: IO[bytes], chunks: Sequence[_Chunk]) -> bytes:
    for chunk in chunks:
        if chunk.kind == b"EXIF":
            count = min(chunk.end - chunk.start - 8, _MOST_EXIF)
            exif = turned(read(file, chunk.start + 8, count))
            return b"EXIF" + struct.pack("<I", len(exif)) + exif if exif else b""
    return b""


def _header(file: IO[bytes], chunk: _Chunk, *, has_exif: bool) -> Iterator[Piece]:
    [flags] = read(file, chunk.start + 8, 1)
    flags &= ~(_HAS_EXIF | _HAS_XMP)
    yield range(chunk.start, chunk.start + 8)
    yield bytes([flags | _HAS_EXIF if has_exif else flags])
    yield range(chunk.start + 9, chunk.end)
