"""
PNG: only what decoders need to show the same pixels in the same colours.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import IO

from krea_cli.media.metadata.exif import turned
from krea_cli.media.metadata.pieces import MOST_PARTS, DamagedError, Piece, read

# Beside the critical chunks: transparency, colours, density, and animation.
_KEPT = frozenset(
    b"tRNS gAMA cHRM sRGB iCCP cICP mDCV mDCv cLLI cLLi sBIT bKGD hIST pHYs"
    b" acTL fcTL fdAT".split()
)
_MOST_EXIF = 1 << 16


def bare(file: IO[bytes], size: int) -> Iterator[Piece]:
    """
    The pieces without what describes the picture, and without what lies behind its end.

    Raises:
        DamagedError: it is no PNG that can be followed to its end.
    """
    yield range(8)
    at = 8
    for _ in range(MOST_PARTS):
        length, kind = struct.unpack(">I4s", read(file, at, 8))
        start, at = at, at + 12 + length
        if at > size:
            raise DamagedError(f"a chunk has {length} bytes")
        if kind == b"eXIf":
            yield _turned(read(file, start + 8, min(length, _MOST_EXIF)))
        elif kind in _KEPT or not kind[0] & 0x20:  # critical ones begin in upper case
            yield range(start, at)
        if kind == b"IEND":
            return
    raise DamagedError("it has too many chunks")


def _turned(content: bytes) -> bytes:
    exif = turned(content)
    if not exif:
        return b""
    check = zlib.crc32(b"eXIf" + exif)
    return struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", check)
