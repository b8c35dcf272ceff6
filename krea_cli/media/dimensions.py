"""
How large a picture is, by its header alone: nothing is decoded to find it out.
"""

from __future__ import annotations

from typing import IO

from krea_cli.media import HEIC, JPEG, PNG, WEBP, MediaType, heif

_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def dimensions(file: IO[bytes], media: MediaType | None) -> tuple[int, int] | None:
    """
    Width and height in pixels, as they lie in the file, that the header of a JPEG, PNG,
    WebP or HEIC names; None for other kinds and for a damaged header.
    """
    readers = {JPEG: _jpeg, PNG: _png, WEBP: _webp, HEIC: heif.sides}
    if media not in readers:
        return None
    file.seek(0)
    size = readers[media](file)
    return size if size and all(size) else None


def _png(file: IO[bytes]) -> tuple[int, int] | None:
    head = file.read(24)
    if len(head) < 24 or head[12:16] != b"IHDR":
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _jpeg(file: IO[bytes]) -> tuple[int, int] | None:
    """
    From segment to segment until one says the size.
    """
    file.seek(2)
    for _ in range(1000):
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return None
        if head[1] in _SIZE_MARKERS:
            size = file.read(5)
            if len(size) < 5:
                return None
            return int.from_bytes(size[3:5], "big"), int.from_bytes(size[1:3], "big")
        if head[1] == 0xFF:  # a fill byte: the marker is one further
            file.seek(-3, 1)
        else:
            file.seek(max(0, int.from_bytes(head[2:4], "big") - 2), 1)
    return None


def _webp(file: IO[bytes]) -> tuple[int, int] | None:
    head = file.read(30)
    if len(head) < 30:
        return None
    if head[12:16] == b"VP8X":
        width, height = head[24:27], head[27:30]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if head[12:16] == b"VP8 ":
        width, height = head[26:28], head[28:30]
        return (
            int.from_bytes(width, "little") & 0x3FFF,
            int.from_bytes(height, "little") & 0x3FFF,
        )
    return None
