"""
A film as the shortest valid MP4: JPEG frames, one after the other, no sound.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
# MPEG-4's number for JPEG as the coding of a video track.
_JPEG = 0x6C


def mp4(frames: Sequence[bytes], size: tuple[int, int], *, per_second: int) -> bytes:
    """
    An MP4 of JPEG pictures that are all of the same *size*.
    """
    kind = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isom", b"mp42")
    data = _box(b"mdat", *frames)
    # The frames begin behind both headers, so this box stands before the index.
    begin = len(kind) + 8
    offsets = list(accumulate([len(frame) for frame in frames[:-1]], initial=begin))
    return kind + data + _index(frames, offsets, size, per_second)


def _index(
    frames: Sequence[bytes], offsets: list[int], size: tuple[int, int], rate: int
) -> bytes:
    count = len(frames)
    screen = struct.pack(">II", size[0] << 16, size[1] << 16)
    movie = _full(
        b"mvhd",
        struct.pack(">4I", 0, 0, rate, count),
        struct.pack(">IHH8x", 0x10000, 0x100, 0),
        _MATRIX,
        struct.pack(">24xI", 2),
    )
    track = _full(
        b"tkhd",
        struct.pack(">3I4xI8x4H", 0, 0, 1, count, 0, 0, 0, 0),
        _MATRIX,
        screen,
        flags=3,
    )
    table = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), _entry(size)),
        _full(b"stts", struct.pack(">3I", 1, count, 1)),
        _full(b"stsc", struct.pack(">4I", 1, 1, 1, 1)),
        _full(b"stsz", struct.pack(">II", 0, count), *(_u32(len(f)) for f in frames)),
        _full(b"stco", _u32(count), *map(_u32, offsets)),
    )
    source = _box(b"dinf", _full(b"dref", _u32(1), _full(b"url ", flags=1)))
    media = _box(
        b"mdia",
        _full(b"mdhd", struct.pack(">4IHH", 0, 0, rate, count, 0x55C4, 0)),
        _full(b"hdlr", struct.pack(">I4s12x", 0, b"vide"), b"Pictures\0"),
        _box(b"minf", _full(b"vmhd", bytes(8), flags=1), source, table),
    )
    return _box(b"moov", movie, _box(b"trak", track, media))


def _entry(size: tuple[int, int]) -> bytes:
    """
    How each frame is coded: plain JPEG.
    """
    config = _descriptor(4, struct.pack(">BB3xII", _JPEG, 0x11, 0, 0))
    stream = _descriptor(3, struct.pack(">HB", 1, 0), config, _descriptor(6, b"\x02"))
    return _box(
        b"mp4v",
        struct.pack(">6xH16xHH", 1, *size),
        struct.pack(">II4xH", 72 << 16, 72 << 16, 1),
        bytes(32),
        struct.pack(">Hh", 24, -1),
        _full(b"esds", stream),
    )


def _descriptor(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    return bytes((tag, len(body))) + body


def _full(name: bytes, *content: bytes, flags: int = 0) -> bytes:
    """
    A box with a version (0) and flags.
    """
    return _box(name, _u32(flags), *content)


def _box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return _u32(len(body) + 8) + name + body


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")
