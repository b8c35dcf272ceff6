"""
Measure WebP images, and strip their metadata.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from krea_cli.media import riff
from krea_cli.media.chunks import Chunk, walk
from krea_cli.media.exif import MAX_EXIF, orientation_only_exif
from krea_cli.media.file_pieces import ByteRange, join_pieces
from krea_cli.media.reader import DamagedError, FileReader

find_end = riff.find_end

_HEADER, _LOSSY, _LOSSLESS = b"VP8X", b"VP8 ", b"VP8L"
_FRAME, _FRAME_HEAD = b"ANMF", 16
_PIXELS = {_LOSSY, _LOSSLESS, b"ALPH"}
_KEPT = {b"ICCP", b"ANIM", *_PIXELS}
# Header flags for the parts that follow.
_HAS_EXIF, _HAS_XMP = 0x08, 0x04


def dimensions(reader: FileReader) -> tuple[int, int] | None:
    """
    Return width and height in pixels, as stated by the first chunk.
    """
    head = reader.read(riff.FIRST, 18)
    kind, mask = head[:4], 0x3FFF
    if kind == _HEADER:
        width, height = head[12:15], head[15:18]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if kind == _LOSSLESS:
        bits = int.from_bytes(head[9:13], "little")
        return (bits & mask) + 1, (bits >> 14 & mask) + 1
    if kind == _LOSSY:
        width, height = struct.unpack("<HH", head[14:18])
        return width & mask, height & mask
    return None


def strip(reader: FileReader) -> Iterator[ByteRange]:
    """
    Yield the pieces that decoders need to show the same pixels in the same colors.

    Raises:
        DamagedError: the chunks cannot be followed to the end.
    """
    chunks = _chunks(reader)
    # Decoders trust the header: without one they ignore EXIF.
    has_header = any(chunk.kind == _HEADER for chunk in chunks)
    exif = _exif(reader, chunks) if has_header else b""
    pieces: list[ByteRange] = []
    for chunk in chunks:
        if chunk.kind == _HEADER:
            pieces += _header(reader, chunk, has_exif=bool(exif))
        elif chunk.kind == _FRAME:
            pieces += _frame(reader, chunk)
        elif chunk.kind in _KEPT:
            pieces.append(chunk.place)
    if join_pieces(reader, [range(riff.FIRST), *pieces]) == [range(reader.size)]:
        # The last chunk may lack its padding.
        yield range(reader.size)
        return
    body = sum(len(piece) for piece in pieces)
    length = 4 + body + body % 2 + len(exif)
    yield b"RIFF" + struct.pack("<I", length) + b"WEBP"
    yield from pieces
    yield bytes(body % 2)
    yield exif


def _chunks(reader: FileReader) -> list[Chunk]:
    stated, size = 8 + riff.length(reader), reader.size
    end = min(stated, size)
    found = list(walk(reader, riff.CHUNKS, riff.FIRST, end=end))
    # Some programs count the padding of the last chunk but do not write it.
    if size + 1 < stated or not found or found[-1].end < end:
        raise DamagedError(f"it does not end at byte {stated}")
    return found


def _frame(reader: FileReader, frame: Chunk) -> Iterator[ByteRange]:
    """
    Yield an animation frame reduced to its pixels.
    """
    body, end = frame.body + _FRAME_HEAD, frame.body + frame.length
    parts = walk(reader, riff.CHUNKS, body, end=end, most=frame.end)
    kept = [part.place for part in parts if part.kind in _PIXELS]
    length = _FRAME_HEAD + sum(len(place) for place in kept)
    yield _FRAME + struct.pack("<I", length)
    yield range(frame.body, body)
    yield from kept
    yield bytes(length % 2)


def _exif(reader: FileReader, chunks: Iterable[Chunk]) -> bytes:
    """
    Return a chunk that contains only the orientation, or nothing.
    """
    for chunk in chunks:
        if chunk.kind == b"EXIF":
            content = reader.read(chunk.body, min(chunk.length, MAX_EXIF))
            exif = orientation_only_exif(content)
            return b"EXIF" + struct.pack("<I", len(exif)) + exif if exif else b""
    return b""


def _header(reader: FileReader, chunk: Chunk, *, has_exif: bool) -> Iterator[ByteRange]:
    [flags] = reader.read(chunk.body, 1)
    flags &= ~(_HAS_EXIF | _HAS_XMP)
    yield range(chunk.start, chunk.body)
    yield bytes([flags | _HAS_EXIF if has_exif else flags])
    yield range(chunk.body + 1, chunk.end)
