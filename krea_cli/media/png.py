"""
Find the end of a PNG file, measure it, and strip its metadata.

A PNG is a list of chunks (length, type, content, checksum), up to an end chunk.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from krea_cli.media.chunks import Chunk, Layout, walk
from krea_cli.media.exif import MAX_EXIF, orientation_only_exif
from krea_cli.media.file_pieces import ByteRange
from krea_cli.media.reader import DamagedError, FileReader

# Position of the first chunk.
_FIRST = 8
_LAYOUT = Layout(">I4s", tail_bytes=4)
_PIXELS, _END, _COLOR_PROFILE = b"IDAT", b"IEND", b"iCCP"
# Chunks that decoders need, with the maximum content length of each: pixels,
# transparency, colors, density and animation.
_ANY = 1 << 31
_KEPT = {
    b"IHDR": 13,
    b"PLTE": 768,
    _PIXELS: _ANY,
    _END: 0,
    b"tRNS": 256,
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"cICP": 4,
    b"mDCV": 24,
    b"mDCv": 24,
    b"cLLI": 8,
    b"cLLi": 8,
    b"sBIT": 4,
    b"bKGD": 6,
    b"hIST": 512,
    b"pHYs": 9,
    b"acTL": 8,
    b"fcTL": 26,
    b"fdAT": _ANY,
}
# Marks a pixel format that only Apple software reads.
_APPLE = b"CgBI"
# Neutral names of color profiles. Other names may identify a person's screen.
_PROFILE_NAME = b"ICC Profile"
_NEUTRAL_NAMES = (_PROFILE_NAME, b"icc", b"ICC profile", b"sRGB")
_MAX_NAME = 79


def chunks(reader: FileReader) -> Iterator[Chunk]:
    """
    Yield the chunks up to and including the end chunk.

    Raises:
        DamagedError: a chunk is truncated, or the end chunk is missing.
    """
    for chunk in walk(reader, _LAYOUT, _FIRST):
        yield chunk
        if chunk.kind == _END:
            return
    raise DamagedError("it has no end")


def find_end(reader: FileReader) -> int | None:
    """
    Return the position after the end chunk, or None if there are no pixels.
    """
    has_pixels, end = False, 0
    for chunk in chunks(reader):
        has_pixels |= chunk.kind == _PIXELS
        end = chunk.end
    return end if has_pixels else None


def count_profiles(reader: FileReader) -> int:
    """
    Return the number of color profiles before the pixels.
    """
    count = 0
    try:
        for chunk in chunks(reader):
            count += chunk.kind == _COLOR_PROFILE
            if chunk.kind == _PIXELS:
                break
    except DamagedError:
        # Profiles before the damage are still decompressed, so they count.
        return count
    return count


def dimensions(reader: FileReader) -> tuple[int, int] | None:
    """
    Return width and height in pixels.
    """
    kind, width, height = reader.unpack(">4sII", 12)
    return (width, height) if kind == b"IHDR" else None


def strip(reader: FileReader) -> Iterator[ByteRange]:
    """
    Yield the pieces that decoders need to show the same pixels in the same colors.

    Raises:
        DamagedError: the chunks cannot be followed to the end, or the pixels are stored
            in an unsupported way.
    """
    yield range(_FIRST)
    for chunk in chunks(reader):
        if chunk.kind == _APPLE:
            raise DamagedError("Apple's own PNG format is not supported")
        if chunk.kind == b"eXIf":
            content = reader.read(chunk.body, min(chunk.length, MAX_EXIF))
            exif = orientation_only_exif(content)
            yield _chunk(b"eXIf", exif) if exif else b""
        elif chunk.kind == _COLOR_PROFILE:
            yield from _renamed_profile(reader, chunk)
        elif chunk.length <= _KEPT.get(chunk.kind, -1):
            yield chunk.place
        elif chunk.kind == _END:
            yield _chunk(_END, b"")


def _renamed_profile(reader: FileReader, chunk: Chunk) -> Iterator[ByteRange]:
    """
    Yield the color profile under a neutral name.
    """
    head = reader.read(chunk.body, min(chunk.length, _MAX_NAME + 1))
    name, found, _ = head.partition(b"\0")
    if not found or name in _NEUTRAL_NAMES:
        yield chunk.place
    else:
        rest = reader.read(chunk.body + len(name), chunk.length - len(name))
        yield _chunk(_COLOR_PROFILE, _PROFILE_NAME + rest)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
