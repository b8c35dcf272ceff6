"""
Where each kind of file ends, by the structure of its container.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
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
    MediaType,
)
from krea_cli.media.bitmap_ends import bmp_end, tiff_end
from krea_cli.media.mpeg_audio import is_whole
from krea_cli.media.parts import count_parts
from krea_cli.media.window import Window

# A file with more parts than these is there to keep us busy.  GIF and live WebM are
# made of small blocks by design, so a large file may have more of them.
_MOST_PARTS, _MOST_SCANS = 1 << 18, 1 << 14
_BLOCK_BYTES = 64
_MOST_PADDING, _PADDING = 4096, b"\0\t\n\r "
# The segment and the cluster of a WebM.
_LIVE = (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def is_padding(file: IO[bytes], at: int, size: int) -> bool:
    """
    Whether what is from there on, if anything, is a little filling or an empty line.
    """
    if size - at > _MOST_PADDING:
        return False
    file.seek(at)
    return not file.read(_MOST_PADDING).strip(_PADDING)


def _png(file: IO[bytes], size: int) -> int | None:
    """
    Chunks (length, type, data, checksum) up to IEND; the pixels are among them.
    """
    window, at, has_pixels = Window(file), 8, False
    for _ in count_parts(_MOST_PARTS):
        if at + 12 > size:
            break
        length, kind = struct.unpack(">I4s", window.read(at, 8))
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
    window, at, has_scan, end = Window(file), 2, False, None
    scans = count_parts(_MOST_SCANS)
    for _ in count_parts(_MOST_PARTS):
        if at >= size:
            break
        mark, kind = struct.unpack("2B", window.read(at, 2).ljust(2, b"\0"))
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
            (length,) = struct.unpack(">H", window.read(at + 2, 2))
            at += 2 + length
            if kind == 0xDA:
                next(scans)
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
    window, has_picture = Window(file), False
    at = 13 + _colours(window, 10)
    blocks = count_parts(_MOST_PARTS + size // _BLOCK_BYTES)
    for _ in count_parts(_MOST_PARTS):
        if at >= size:
            break
        kind = window.read(at, 1)
        if kind == b";":
            return at + 1 if has_picture else None
        if kind == b",":
            has_picture = True
            at += 11 + _colours(window, at + 9)
        elif kind == b"!":
            at += 2
        else:
            return None
        at = _blocks_end(window, at, blocks)
    return None


def _colours(window: Window, at: int) -> int:
    """
    The size of the colour table that the flags there announce.
    """
    (flags,) = struct.unpack("B", window.read(at, 1))
    return 6 << (flags & 7) if flags & 0x80 else 0


def _blocks_end(window: Window, at: int, blocks: Iterator[int]) -> int:
    for _ in blocks:
        (length,) = struct.unpack("B", window.read(at, 1))
        at += 1 + length
        if not length:
            break
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
    window, at, kinds = Window(file), 0, set()
    for _ in count_parts(_MOST_PARTS):
        if at >= size or is_padding(file, at, size):
            break
        length, kind = struct.unpack(">I4s", window.read(at, 8))
        if length == 1:
            (length,) = struct.unpack(">Q", window.read(at + 8, 8))
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
    window, at, elements, is_live = Window(file), 0, 0, False
    for _ in count_parts(_MOST_PARTS + size // _BLOCK_BYTES):
        if at >= size or is_padding(file, at, size):
            break
        head = window.read(at, 12)
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
ENDS: dict[MediaType, Callable[[IO[bytes], int], int | None]] = {
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
