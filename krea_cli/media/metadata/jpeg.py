"""
JPEG: only what decoders need to show the same pixels in the same colours.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from krea_cli.media.metadata.exif import turned
from krea_cli.media.metadata.pieces import MOST_PARTS, ByteRange, DamagedError, read
from krea_cli.media.truncation import scan_end

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
# These have no content: 01, restarts, start and end.
_BARE = {0x01, *range(0xD0, _END + 1)}
# Frames and tables, scans, and what belongs to them.
_NEEDED = {*range(0xC0, 0xE0)} - {0xC8}
_PROFILE, _ADOBE, _ADOBE_BYTES = 0xE2, 0xEE, 12
# JPEG-LS keeps pixels in segments of its own.
_OTHER_PIXELS = {0xF7, 0xF8}
_JFIF, _JFIF_BYTES = 0xE0, 14
_EXIF = 0xE1


class Segment(NamedTuple):
    """
    From its marker at *start*, with fill bytes before it, to *end*; *body* is where its
    content begins.
    """

    marker: int
    start: int
    body: int
    end: int


def segments(file: IO[bytes], size: int) -> Iterator[Segment]:
    """
    The segments after the first marker, up to the end of the image; pixels belong to
    the segment before them.  What comes after the end of the image is no part of it: a
    preview, a film, another picture.

    Raises:
        DamagedError: there is something else between them.
    """
    start = at = 2
    for _ in range(MOST_PARTS):
        mark, marker = read(file, at, 2)
        if mark != 0xFF or marker in (0x00, _START):
            raise DamagedError(f"there is no marker at byte {at}")
        if marker == 0xFF:
            at += 1
            continue
        body = at = at + 2
        if marker not in _BARE:
            (length,) = struct.unpack(">H", read(file, body, 2))
            body, at = body + 2, body + length
            if not body <= at <= size:
                raise DamagedError(f"a segment has {length} bytes")
        if marker == _SCAN:
            at = min(scan_end(file, at), size)
        yield Segment(marker, start, body, at)
        # A picture may break off in its pixels: what there is of it can be shown.
        if marker == _END or (marker == _SCAN and at == size):
            return
        start = at
    raise DamagedError("it has too many segments")


def bare(file: IO[bytes], size: int) -> Iterator[ByteRange]:
    """
    The pieces without what describes the picture.

    Raises:
        DamagedError: it is no JPEG that can be followed, or its pixels are stored in
            a way that is not understood here.
    """
    yield range(2)
    for segment in segments(file, size):
        if segment.marker == _EXIF:
            yield _turned(_body(file, segment))
        elif segment.marker == _JFIF:
            yield from _jfif(file, segment)
        elif segment.marker == _PROFILE:
            if _body(file, segment).startswith(b"ICC_PROFILE\0"):
                yield range(segment.start, segment.end)
        elif segment.marker == _ADOBE:
            yield from _cut(file, segment, b"Adobe", _ADOBE_BYTES)
        elif segment.marker in _OTHER_PIXELS:
            raise DamagedError("its pixels are in the format of JPEG-LS")
        elif segment.marker in _NEEDED:
            yield range(segment.start, segment.end)


def _cut(
    file: IO[bytes], segment: Segment, name: bytes, most: int
) -> Iterator[ByteRange]:
    """
    A segment that says what the colours mean, without what a program added to it.
    """
    body = _body(file, segment)
    if body.startswith(name) and len(body) <= most:
        yield range(segment.start, segment.end)
    elif body.startswith(name):
        yield struct.pack(">BBH", 0xFF, segment.marker, most + 2) + body[:most]


def _body(file: IO[bytes], segment: Segment) -> bytes:
    return read(file, segment.body, segment.end - segment.body)


def _turned(body: bytes) -> bytes:
    exif = turned(body) if body.startswith(b"Exif\0\0") else b""
    if not exif:
        return b""
    content = b"Exif\0\0" + exif
    return struct.pack(">BBH", 0xFF, _EXIF, len(content) + 2) + content


def _jfif(file: IO[bytes], segment: Segment) -> Iterator[ByteRange]:
    """
    The header without the small picture that it may hold.
    """
    body = _body(file, segment)
    if body.startswith(b"JFIF\0") and len(body) == _JFIF_BYTES:
        yield range(segment.start, segment.end)
    elif body.startswith(b"JFIF\0") and len(body) > _JFIF_BYTES:
        head = struct.pack(">BBH", 0xFF, _JFIF, _JFIF_BYTES + 2)
        yield head + body[: _JFIF_BYTES - 2] + bytes(2)
