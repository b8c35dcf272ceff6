"""
PNG: only what decoders need to show the same pixels in the same colours.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import IO

from krea_cli.media.metadata.exif import turned
from krea_cli.media.metadata.pieces import MOST_PARTS, ByteRange, DamagedError, read

# What decoders need, with the bytes that each has at most: pixels, transparency,
# colours, density, and animation.
_ANY = 1 << 31
_KEPT = {
    b"IHDR": 13,
    b"PLTE": 768,
    b"IDAT": _ANY,
    b"IEND": 0,
    b"tRNS": 256,
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"iCCP": _ANY,
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
_MOST_EXIF = 1 << 16
# Names of colour profiles that say nothing; other ones may be those of a person's
# screen.
_PROFILE_NAME = b"ICC Profile"
_NEUTRAL_NAMES = (_PROFILE_NAME, b"icc", b"ICC profile", b"sRGB")
_MOST_NAME = 79


def bare(file: IO[bytes], size: int) -> Iterator[ByteRange]:
    """
    The pieces without what describes the picture, and without what lies behind its end.

    Raises:
        DamagedError: it is no PNG that can be followed to its end, or its pixels are
            stored in a way that is not understood here.
    """
    yield range(8)
    at = 8
    for _ in range(MOST_PARTS):
        length, kind = struct.unpack(">I4s", read(file, at, 8))
        start, at = at, at + 12 + length
        if at > size:
            raise DamagedError(f"a chunk has {length} bytes")
        if kind == _APPLE:
            raise DamagedError("its pixels are in a format of Apple's own")
        if kind == b"eXIf":
            yield _turned(read(file, start + 8, min(length, _MOST_EXIF)))
        elif kind == b"iCCP":
            yield from _profile(file, start, at)
        elif length <= _KEPT.get(kind, -1):
            yield range(start, at)
        elif kind == b"IEND":
            yield _chunk(kind, b"")
        if kind == b"IEND":
            return
    raise DamagedError("it has too many chunks")


def _profile(file: IO[bytes], start: int, end: int) -> Iterator[ByteRange]:
    """
    The colour profile, under a name that says nothing.
    """
    head = read(file, start + 8, min(end - start - 12, _MOST_NAME + 1))
    name, found, _ = head.partition(b"\0")
    if not found or name in _NEUTRAL_NAMES:
        yield range(start, end)
    else:
        rest = start + 8 + len(name)
        content = _PROFILE_NAME + read(file, rest, end - 4 - rest)
        yield _chunk(b"iCCP", content)


def _turned(content: bytes) -> bytes:
    exif = turned(content)
    return _chunk(b"eXIf", exif) if exif else b""


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
