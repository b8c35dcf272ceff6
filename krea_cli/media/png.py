"""
PNG: find where it ends and how large its picture is, and strip its metadata.

A PNG is a list of chunks (length, kind, content, checksum) up to one that ends it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from krea_cli.media.chunks import Chunk, Layout, walk
from krea_cli.media.exif import MOST_EXIF, orientation_only_exif
from krea_cli.media.file_pieces import ByteRange
from krea_cli.media.reader import DamagedError, FileReader

# Where the first chunk begins.
_FIRST = 8
_LAYOUT = Layout(">I4s", tail_bytes=4)
_PIXELS, _END, _COLOR_PROFILE = b"IDAT", b"IEND", b"iCCP"
# Chunks that decoders need, with the most bytes that each may have: pixels,
# transparency, colors, density, and animation.
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
# Pixels that only Apple's programs understand.
_APPLE = b"CgBI"
# Neutral names of color profiles; others may be those of a person's screen.
_PROFILE_NAME = b"ICC Profile"
_NEUTRAL_NAMES = (_PROFILE_NAME, b"icc", b"ICC profile", b"sRGB")
_MOST_NAME = 79


def chunks(reader: FileReader) -> Iterator[Chunk]:
    """
    Yield the chunks up to the one that ends the picture.

    Raises:
        DamagedError: a chunk is cut, or the last one is missing.
    """
    for chunk in walk(reader, _LAYOUT, _FIRST):
        yield chunk
        if chunk.kind == _END:
            return
    raise DamagedError("it has no end")


def find_end(reader: FileReader) -> int | None:
    """
    Return where the picture ends, None if it has no pixels.
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
        # The profiles before the damage are unpacked all the same.
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
    Yield what decoders need to show the same pixels in the same colors.

    Raises:
        DamagedError: the file cannot be followed to its end, or its pixels are stored
            in a way that is not understood here.
    """
    yield range(_FIRST)
    for chunk in chunks(reader):
        if chunk.kind == _APPLE:
            raise DamagedError("Apple's own PNG format is not supported")
        if chunk.kind == b"eXIf":
            content = reader.read(chunk.body, min(chunk.length, MOST_EXIF))
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
    head = reader.read(chunk.body, min(chunk.length, _MOST_NAME + 1))
    name, found, _ = head.partition(b"\0")
    if not found or name in _NEUTRAL_NAMES:
        yield chunk.place
    else:
        rest = reader.read(chunk.body + len(name), chunk.length - len(name))
        yield _chunk(_COLOR_PROFILE, _PROFILE_NAME + rest)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
