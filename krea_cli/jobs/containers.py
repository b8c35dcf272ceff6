"""
Whether a file is whole, by the structure of its container (hazards N2, F6).

A connection that breaks may look like the end of the body; a cut picture opens in some
viewers.  So each container is walked to its own end.  MP3 has no end to look for.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import IO

from krea_cli.jobs.media import (
    AVIF,
    GIF,
    GLB,
    HEIC,
    JPEG,
    MOV,
    MP4,
    PNG,
    WAV,
    WEBM,
    WEBP,
    Media,
)


def is_complete(file: IO[bytes], media: Media) -> bool:
    """
    Whether *file*, which can seek, holds a whole container of its kind.
    """
    check = _CHECKS.get(media)
    if check is None:
        return True
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        return check(file, size)
    except struct.error:
        return False


def _png(file: IO[bytes], size: int) -> bool:
    """
    Chunks (length, type, data, checksum) up to IEND, which ends the file.
    """
    at = 8
    while at + 12 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        at += 12 + length
        if kind == b"IEND":
            return bool(at == size)
    return False


def _jpeg(file: IO[bytes], size: int) -> bool:
    """
    The end-of-image marker closes the file; zero bytes after it are only padding.
    """
    file.seek(max(0, size - 4096))
    return file.read().rstrip(b"\0").endswith(b"\xff\xd9")


def _gif(file: IO[bytes], size: int) -> bool:
    file.seek(max(0, size - 2))
    return file.read() == b"\0;"


def _riff(file: IO[bytes], size: int) -> bool:
    file.seek(4)
    (length,) = struct.unpack("<I", file.read(4))
    # Chunks are padded to an even length; some writers leave the last one odd.
    return 0 <= size - 8 - int(length) <= 1


def _glb(file: IO[bytes], size: int) -> bool:
    file.seek(8)
    (length,) = struct.unpack("<I", file.read(4))
    return bool(length == size)


def _boxes(file: IO[bytes], size: int) -> bool:
    """
    ISO media boxes fill the file to the byte, and the index is among them.
    """
    at, kinds = 0, set()
    while at < size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        elif length == 0:
            length = size - at
        if length < 8:
            return False
        kinds.add(kind)
        at += length
    return at == size and bool(kinds & {b"moov", b"meta"})


def _ebml(file: IO[bytes], size: int) -> bool:
    """
    The top elements (header, segment) fill the file; a segment of unknown length,
    as live encoders write it, reaches to the end by definition.
    """
    at, elements = 0, 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        id_length = _vint_length(head[:1])
        length_length = _vint_length(head[id_length : id_length + 1])
        raw = head[id_length : id_length + length_length]
        if not raw or len(raw) < length_length:
            return False
        value = int.from_bytes(raw) & ((1 << 7 * length_length) - 1)
        elements += 1
        if value == (1 << 7 * length_length) - 1:
            return elements == 2
        at += id_length + length_length + value
    return at == size and elements >= 2


def _vint_length(first: bytes) -> int:
    return 9 - first[0].bit_length() if first else 1


_CHECKS: dict[Media, Callable[[IO[bytes], int], bool]] = {
    PNG: _png,
    JPEG: _jpeg,
    GIF: _gif,
    WEBP: _riff,
    WAV: _riff,
    GLB: _glb,
    MP4: _boxes,
    MOV: _boxes,
    AVIF: _boxes,
    HEIC: _boxes,
    WEBM: _ebml,
}
