"""
Where each kind of file ends, by the structure of its container.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import IO

from krea_cli.media import (
    AVIF,
    BMP,
    GIF,
    GLB,
    HEIC,
    JPEG,
    MOV,
    MP3,
    MP4,
    PNG,
    TIFF,
    WAV,
    WEBM,
    WEBP,
    Media,
)
from krea_cli.media.bitmap_ends import bmp_end, tiff_end
from krea_cli.media.mpeg_audio import is_whole

# No picture has so many chunks or segments; one that has is there to keep us busy.
_MOST_PARTS = 1_000_000
_MOST_PADDING, _PADDING = 4096, b"\0\t\n\r "
# The segment and the cluster of a WebM.
_LIVE = (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def is_padding(file: IO[bytes], at: int, size: int) -> bool:
    """
    Whether what is from there on, if anything, is a little filling or an empty line.
    """
    file.seek(at)
    return size - at <= _MOST_PADDING and not file.read(_MOST_PADDING).strip(_PADDING)


def _png(file: IO[bytes], size: int) -> int | None:
    """
    Chunks (length, type, data, checksum) up to IEND; the pixels are among them.
    """
    at, has_pixels = 8, False
    for _ in range(_MOST_PARTS):
        if at + 12 > size:
            break
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        at += 12 + length
        has_pixels |= kind == b"IDAT"
        if kind == b"IEND":
            return int(at) if has_pixels else None
    return None


def _jpeg(file: IO[bytes], size: int) -> int | None:
    """
    Segments and scans up to an end-of-image marker; another picture may follow.  A
    thumbnail ends with such a marker, too, but lies inside a segment.
    """
    at, has_scan, end = 2, False, None
    for _ in range(_MOST_PARTS):
        if at >= size:
            break
        file.seek(at)
        mark, kind = struct.unpack("2B", file.read(2).ljust(2, b"\0"))
        if mark != 0xFF or (end and kind not in (0xFF, 0xD8)):
            return end
        if kind == 0xFF:
            at += 1
        elif kind == 0xD8:
            at, end = at + 2, None
        elif kind == 0xD9:
            at += 2
            end = at if has_scan else None
        else:
            (length,) = struct.unpack(">H", file.read(2))
            at += 2 + length
            if kind == 0xDA:
                at, has_scan = scan_end(file, at), True
    return end


def scan_end(file: IO[bytes], at: int) -> int:
    """
    Where the next marker is that is no part of a scan.
    """
    while True:
        file.seek(at)
        chunk = file.read(1 << 16)
        if found := _AFTER_SCAN.search(chunk):
            return at + found.start()
        if len(chunk) < 2:
            return at + 2
        # A marker may lie across two reads.
        at += len(chunk) - 1


def _gif(file: IO[bytes], size: int) -> int | None:
    """
    Pictures and extensions, each a list of blocks, up to the trailer.
    """
    file.seek(10)
    at, has_picture = 13 + _colours(file), False
    while at < size:
        file.seek(at)
        kind = file.read(1)
        if kind == b";":
            return at + 1 if has_picture else None
        if kind == b",":
            has_picture = True
            file.seek(at + 9)
            at += 11 + _colours(file)
        elif kind == b"!":
            at += 2
        else:
            return None
        at = _blocks_end(file, at)
    return None


def _colours(file: IO[bytes]) -> int:
    """
    The size of the colour table that the flags here announce.
    """
    (flags,) = struct.unpack("B", file.read(1))
    return 6 << (flags & 7) if flags & 0x80 else 0


def _blocks_end(file: IO[bytes], at: int) -> int:
    length = -1
    while length:
        file.seek(at)
        (length,) = struct.unpack("B", file.read(1))
        at += 1 + length
    return at


def _riff(file: IO[bytes], size: int) -> int | None:
    file.seek(4)
    (length,) = struct.unpack("<I", file.read(4))
    end = 8 + int(length)
    # Chunks are padded to an even length; some writers leave the last one odd.
    end += length % 2 and size > end
    return end if length else None


def _glb(file: IO[bytes], _size: int) -> int:
    file.seek(8)
    (length,) = struct.unpack("<I", file.read(4))
    return int(length)


def _boxes(file: IO[bytes], size: int) -> int | None:
    """
    ISO media boxes up to the end, or to padding; the index and the media are among
    them.
    """
    at, kinds = 0, set()
    while at < size and not is_padding(file, at, size):
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        elif length == 0:
            length = size - at
        if length < 8:
            return None
        kinds.add(kind)
        at += length
    return at if b"mdat" in kinds and kinds & {b"moov", b"meta"} else None


def _ebml(file: IO[bytes], size: int) -> int | None:
    """
    The top elements (header, segment) up to the end, or to padding.  A segment of
    unknown length and its clusters, as live encoders write them, reach to the end by
    definition: there it is the elements inside that fill the file, and a cut between
    two cannot be seen.
    """
    at, elements, is_live = 0, 0, False
    while at < size and not is_padding(file, at, size):
        file.seek(at)
        head = file.read(12)
        id_length = _vint_length(head[:1])
        length_length = _vint_length(head[id_length : id_length + 1])
        raw = head[id_length : id_length + length_length]
        if not raw or len(raw) < length_length:
            return None
        value = int.from_bytes(raw) & ((1 << 7 * length_length) - 1)
        elements += 1
        at += id_length + length_length
        if value != (1 << 7 * length_length) - 1:
            at += value
        elif head[:id_length] in _LIVE:
            is_live = True
        else:
            return None
    return at if elements >= 2 + is_live else None


def _vint_length(first: bytes) -> int:
    return 9 - first[0].bit_length() if first else 1


def _mp3(file: IO[bytes], size: int) -> int | None:
    return size if is_whole(file, size) else None


# Where each kind ends, None where it is cut.
ENDS: dict[Media, Callable[[IO[bytes], int], int | None]] = {
    PNG: _png,
    JPEG: _jpeg,
    GIF: _gif,
    TIFF: tiff_end,
    BMP: bmp_end,
    WEBP: _riff,
    WAV: _riff,
    GLB: _glb,
    MP4: _boxes,
    MOV: _boxes,
    AVIF: _boxes,
    HEIC: _boxes,
    WEBM: _ebml,
    MP3: _mp3,
}
