"""
Write a minimal MP4: a sequence of JPEG frames without audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from struct import pack

_MATRIX = pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
# MPEG-4 object type of JPEG video.
_JPEG = 0x6C


def mp4(frames: Sequence[bytes], size: tuple[int, int], *, per_second: int) -> bytes:
    """
    Return an MP4 with the JPEG frames, which must all have the same size.
    """
    kind = _box(b"ftyp", b"isom", pack(">I", 512), b"isom", b"mp42")
    # The frame data comes before the index, so its position is known.
    begin = len(kind) + 8
    offsets = accumulate((len(frame) for frame in frames[:-1]), initial=begin)
    lengths = [len(frame) for frame in frames]
    count = len(frames)
    samples = _box(
        b"stbl",
        _full(b"stsd", pack(">I", 1), _sample_entry(size)),
        _full(b"stts", pack(">3I", 1, count, 1)),
        _full(b"stsc", pack(">4I", 1, 1, 1, 1)),
        _full(b"stsz", pack(f">II{count}I", 0, count, *lengths)),
        _full(b"stco", pack(f">I{count}I", count, *offsets)),
    )
    source = _box(b"dinf", _full(b"dref", pack(">I", 1), _full(b"url ", flags=1)))
    media = _box(
        b"mdia",
        _full(b"mdhd", pack(">4IHH", 0, 0, per_second, count, 0x55C4, 0)),
        _full(b"hdlr", pack(">I4s12x", 0, b"vide"), b"Pictures\0"),
        _box(b"minf", _full(b"vmhd", bytes(8), flags=1), source, samples),
    )
    screen = pack(">II", size[0] << 16, size[1] << 16)
    place = pack(">3I4xI16x", 0, 0, 1, count)
    track = _full(b"tkhd", place, _MATRIX, screen, flags=3)
    timing = pack(">4IIH10x", 0, 0, per_second, count, 0x10000, 0x100)
    movie = _full(b"mvhd", timing, _MATRIX, pack(">24xI", 2))
    index = _box(b"moov", movie, _box(b"trak", track, media))
    return kind + _box(b"mdat", *frames) + index


def _sample_entry(size: tuple[int, int]) -> bytes:
    config = _descriptor(4, pack(">BB3xII", _JPEG, 0x11, 0, 0))
    stream = _descriptor(3, pack(">HB", 1, 0), config, _descriptor(6, b"\x02"))
    head = pack(">6xH16xHHII4xH32x", 1, *size, 72 << 16, 72 << 16, 1)
    return _box(b"mp4v", head, pack(">Hh", 24, -1), _full(b"esds", stream))


def _descriptor(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    return bytes((tag, len(body))) + body


def _full(name: bytes, *content: bytes, flags: int = 0) -> bytes:
    return _box(name, pack(">I", flags), *content)


def _box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return pack(">I", len(body) + 8) + name + body
