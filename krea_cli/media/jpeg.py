"""
JPEG: find where it ends and how large its picture is, and strip its metadata.

A JPEG is a list of segments, each with a marker. Pixels follow the segment that starts
a scan. Another picture may follow behind the end of the first one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from krea_cli.media.exif import orientation_only_exif
from krea_cli.media.file_pieces import ByteRange
from krea_cli.media.reader import DamagedError, FileReader, count_parts

_START, _END, _SCAN, _FILL = 0xD8, 0xD9, 0xDA, 0xFF
# Restarts, start and end have no content.
_EMPTY = {0x01, *range(0xD0, _END + 1)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
# Frames and tables, scans, and segments that describe them.
_NEEDED = {*range(0xC0, 0xE0)} - {0xC8}
_JFIF, _EXIF, _PROFILE, _ADOBE = 0xE0, 0xE1, 0xE2, 0xEE
_JFIF_BYTES, _ADOBE_BYTES = 14, 12
# JPEG-LS keeps pixels in segments of its own.
_OTHER_PIXELS = {0xF7, 0xF8}
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Scans are searched byte by byte, so there may be fewer of them than of other parts.
_MOST_SCANS = 1 << 14


class Segment(NamedTuple):
    """
    Reaches from `start`, with fill bytes before its marker, to `end`, with the pixels
    of its scan; its content begins at `body`.
    """

    marker: int
    start: int
    body: int
    end: int


def segments(reader: FileReader) -> Iterator[Segment]:
    """
    Yield the segments behind the first marker, those of further pictures included.

    A picture may break off in its pixels: then its scan is the last segment.

    Raises:
        DamagedError: something else lies between them.
    """
    start = at = 2
    scans = count_parts(_MOST_SCANS)
    for _ in count_parts():
        if at >= reader.size:
            return
        mark, marker = reader.read(at, 2)
        if mark != 0xFF:
            raise DamagedError(f"no marker at byte {at}")
        if marker == _FILL:
            at += 1
            continue
        body = at = at + 2
        if marker not in _EMPTY:
            (length,) = reader.unpack(">H", body)
            body, at = body + 2, body + length
            if not body <= at <= reader.size:
                raise DamagedError(f"a segment has {length} bytes")
        if marker == _SCAN:
            next(scans)
            at = _scan_end(reader, at)
        yield Segment(marker, start, body, at)
        start = at


def _scan_end(reader: FileReader, at: int) -> int:
    """
    Return the position of the next marker that does not belong to the pixels.
    """
    while len(block := reader.peek(at, 1 << 16)) > 1:
        if found := _AFTER_SCAN.search(block):
            return at + found.start()
        # A marker may lie across two reads.
        at += len(block) - 1
    return reader.size


def find_end(reader: FileReader) -> int | None:
    """
    Return where the last picture ends, None if it is cut.

    A thumbnail ends with the same marker, but lies inside a segment.
    """
    end, has_scan = None, False
    try:
        for segment in segments(reader):
            if end and segment.marker != _START:
                break
            has_scan |= segment.marker == _SCAN
            end = segment.end if segment.marker == _END and has_scan else None
    except DamagedError:
        # Behind the end of a picture this is no damage of it.
        return end
    return end


def dimensions(reader: FileReader) -> tuple[int, int] | None:
    """
    Return width and height in pixels.
    """
    for segment in segments(reader):
        if segment.marker in _FRAMES:
            height, width = reader.unpack(">HH", segment.body + 1)
            return width, height
    return None


def strip(reader: FileReader) -> Iterator[ByteRange]:
    """
    Yield what decoders need to show the same pixels in the same colors.

    Everything behind the end of the image goes: a preview, a film, another picture.

    Raises:
        DamagedError: the file cannot be followed, or its pixels are stored in a way
            that is not understood here.
    """
    yield range(2)
    marker = _START
    for segment in segments(reader):
        marker = segment.marker
        if marker in (0x00, _START):
            raise DamagedError(f"no marker at byte {segment.start}")
        yield from _stripped(reader, segment)
        if marker == _END:
            return
    if marker != _SCAN:
        raise DamagedError("it ends before its pixels")


def _stripped(reader: FileReader, segment: Segment) -> Iterator[ByteRange]:
    marker = segment.marker
    if marker in _OTHER_PIXELS:
        raise DamagedError("JPEG-LS is not supported")
    if marker in _NEEDED:
        yield range(segment.start, segment.end)
    elif marker in (_JFIF, _EXIF, _PROFILE, _ADOBE):
        body = reader.read(segment.body, segment.end - segment.body)
        if short := _shortened(marker, body):
            yield struct.pack(">BBH", 0xFF, marker, len(short) + 2) + short


def _shortened(marker: int, body: bytes) -> bytes:
    """
    Return the part of the content that decoders need, empty for none.
    """
    if marker == _EXIF and body.startswith(b"Exif\0\0"):
        exif = orientation_only_exif(body)
        return b"Exif\0\0" + exif if exif else b""
    if marker == _PROFILE and body.startswith(b"ICC_PROFILE\0"):
        return body
    if marker == _ADOBE and body.startswith(b"Adobe"):
        return body[:_ADOBE_BYTES]
    if marker == _JFIF and body.startswith(b"JFIF\0") and len(body) >= _JFIF_BYTES:
        # The last two bytes are the size of a small picture that may follow.
        is_bare = len(body) == _JFIF_BYTES
        return body if is_bare else body[: _JFIF_BYTES - 2] + bytes(2)
    return b""
