"""
What kind of file some bytes are, and how large the picture in them is.

Read from the header alone, so that nothing is decoded to find it out.
"""

from __future__ import annotations

from typing import IO

HEAD_BYTES = 64

_STARTS = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (0, b"glTF", "model/gltf-binary"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"ID3", "audio/mpeg"),
)
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_MP4 = (b"iso", b"mp4", b"avc", b"M4V", b"dash", b"MSNV", b"3gp", b"f4v")
_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def media_type(head: bytes) -> str | None:
    """
    The media type by the first `HEAD_BYTES`; None for what the API does not take.
    """
    for offset, magic, name in _STARTS:
        if head.startswith(magic, offset) and (offset == 0 or head.startswith(b"RIFF")):
            return name
    if head[4:8] == b"ftyp":
        return _by_brand(head[8:12])
    is_frame = len(head) > 3 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2
    return "audio/mpeg" if is_frame and head[2] & 0xF0 != 0xF0 else None


def _by_brand(brand: bytes) -> str | None:
    if brand in _HEIC:
        return "image/heic"
    if brand == b"qt  ":
        return "video/quicktime"
    return "video/mp4" if brand.startswith(_MP4) else None


def dimensions(file: IO[bytes], kind: str) -> tuple[int, int] | None:
    """
    Width and height that the header of a JPEG, PNG or WebP names; None for other kinds
    and for a damaged header.
    """
    readers = {"image/jpeg": _jpeg, "image/png": _png, "image/webp": _webp}
    if kind not in readers:
        return None
    file.seek(0)
    size = readers[kind](file)
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
