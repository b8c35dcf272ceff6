"""
WebP: only what decoders need to show the same pixels in the same colours.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

from krea_cli.media.metadata.exif import turned
from krea_cli.media.metadata.pieces import MOST_PARTS, ByteRange, DamagedError, read

_HEADER = b"VP8X"
_FRAME, _FRAME_HEAD = b"ANMF", 16
_PIXELS = {b"VP8 ", b"VP8L", b"ALPH"}
_KEPT = {_HEADER, b"ICCP", b"ANIM", _FRAME, *_PIXELS}
# What the header says that there is.
_HAS_EXIF, _HAS_XMP = 0x08, 0x04
_MOST_EXIF = 1 << 16


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    end: int


def bare(file: IO[bytes], size: int) -> Iterator[ByteRange]:
    """
    The pieces without what describes the picture, and without what lies behind its end.

    Raises:
        DamagedError: it is no WebP that can be followed to its end.
    """
    chunks = list(_chunks(file, size))
    kept = [chunk for chunk in chunks if chunk.kind in _KEPT]
    frames = {chunk: _frame(file, chunk) for chunk in kept if chunk.kind == _FRAME}
    is_whole = size == (chunks[-1].end if chunks else 12)
    if kept == chunks and is_whole and not any(frames.values()):
        yield range(size)
        return
    # Decoders believe the header, so without one there is no EXIF.
    header = next((chunk for chunk in kept if chunk.kind == _HEADER), None)
    exif = _turned(file, chunks) if header else b""
    pieces: list[ByteRange] = []
    for chunk in kept:
        if chunk.kind == _HEADER:
            pieces += _header(file, chunk, has_exif=bool(exif))
        else:
            pieces += frames.get(chunk) or [range(chunk.start, chunk.end)]
    body = sum(len(piece) for piece in pieces)
    yield b"RIFF" + struct.pack("<I", 4 + body + body % 2 + len(exif)) + b"WEBP"
    yield from pieces
    yield bytes(body % 2)
    yield exif


def _frame(file: IO[bytes], chunk: _Chunk) -> list[ByteRange]:
    """
    A frame of an animation with its pixels alone; empty when it has nothing else.
    """
    start = chunk.start + 8
    (count,) = struct.unpack("<I", read(file, chunk.start + 4, 4))
    parts = list(_inside(file, start + _FRAME_HEAD, start + count, chunk.end))
    kept = [part for part in parts if part.kind in _PIXELS]
    if kept == parts:
        return []
    length = _FRAME_HEAD + sum(part.end - part.start for part in kept)
    return [
        _FRAME + struct.pack("<I", length),
        range(start, start + _FRAME_HEAD),
        *(range(part.start, part.end) for part in kept),
        bytes(length % 2),
    ]


def _chunks(file: IO[bytes], size: int) -> Iterator[_Chunk]:
    (length,) = struct.unpack("<I", read(file, 4, 4))
    at = 12
    for chunk in _inside(file, at, min(8 + length, size), size):
        yield chunk
        at = chunk.end
    # Some writers count the padding of the last chunk, and leave it out.
    if size + 1 < 8 + length or at < min(8 + length, size):
        raise DamagedError(f"it does not end at byte {8 + length}")


def _inside(file: IO[bytes], at: int, end: int, size: int) -> Iterator[_Chunk]:
    """
    The chunks that begin before *end*; none reaches beyond *size*.
    """
    for _ in range(MOST_PARTS):
        if at >= end:
            return
        kind, count = struct.unpack("<4sI", read(file, at, 8))
        start, at = at, at + 8 + count
        if at > size:
            raise DamagedError(f"a chunk has {count} bytes")
        # Padded to an even length; some writers leave the last one odd.
        at = min(at + count % 2, size)
        yield _Chunk(kind, start, at)
    raise DamagedError("it has too many chunks")


def _turned(file: IO[bytes], chunks: Sequence[_Chunk]) -> bytes:
    for chunk in chunks:
        if chunk.kind == b"EXIF":
            count = min(chunk.end - chunk.start - 8, _MOST_EXIF)
            exif = turned(read(file, chunk.start + 8, count))
            return b"EXIF" + struct.pack("<I", len(exif)) + exif if exif else b""
    return b""


def _header(file: IO[bytes], chunk: _Chunk, *, has_exif: bool) -> Iterator[ByteRange]:
    [flags] = read(file, chunk.start + 8, 1)
    flags &= ~(_HAS_EXIF | _HAS_XMP)
    yield range(chunk.start, chunk.start + 8)
    yield bytes([flags | _HAS_EXIF if has_exif else flags])
    yield range(chunk.start + 9, chunk.end)
