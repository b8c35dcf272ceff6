"""
Find the end of a JPEG file, measure it, and strip its metadata.

A JPEG is a list of segments, each with a marker. Pixel data follows the segment that
starts a scan. Further images may follow the end of the first one.
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
# Markers without content: restarts, start and end.
_EMPTY = {0x01, *range(0xD0, _END + 1)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
# Segments that decoders need: frames, tables and scans, and their parameters.
_NEEDED = {*range(0xC0, 0xE0)} - {0xC8}
_JFIF, _EXIF, _PROFILE, _ADOBE = 0xE0, 0xE1, 0xE2, 0xEE
_JFIF_BYTES, _ADOBE_BYTES = 14, 12
# JPEG-LS stores pixels in segments of its own.
_OTHER_PIXELS = {0xF7, 0xF8}
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Scans are searched byte by byte, so their number has a lower limit than other parts.
_MAX_SCANS = 1 << 14


class Segment(NamedTuple):
    """
    A segment that spans `start` to `end`.

    It includes fill bytes before its marker, and the pixel data if it starts a scan.
    Its content begins at `body`.
    """

    marker: int
    start: int
    body: int
    end: int


def segments(reader: FileReader) -> Iterator[Segment]:
    """
    Yield the segments after the first marker, those of further images included.

    If the file breaks off in pixel data, that scan is the last segment.

    Raises:
        DamagedError: there is other data between segments.
    """
    start = at = 2
    scans = count_parts(_MAX_SCANS)
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
    Return the position of the next marker that is not part of the pixel data.
    """
    while len(block := reader.peek(at, 1 << 16)) > 1:
        if found := _AFTER_SCAN.search(block):
            return at + found.start()
        # Keep one byte: a marker may span two reads.
        at += len(block) - 1
    return reader.size


def find_end(reader: FileReader) -> int | None:
    """
    Return the position after the last image, or None if it is truncated.

    A thumbnail has the same end marker, but inside a segment.
    """
    end, has_scan = None, False
    try:
        for segment in segments(reader):
            if end and segment.marker != _START:
                break
            has_scan |= segment.marker == _SCAN
            end = segment.end if segment.marker == _END and has_scan else None
    except DamagedError:
        # Other data after the end of an image does not damage it.
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
    Yield the pieces that decoders need to show the same pixels in the same colors.

    Everything after the end of the first image is removed: previews, videos, other
    images.

    Raises:
        DamagedError: the segments cannot be followed, or the pixels are stored in an
            unsupported way.
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
    Return the part of a segment's content that decoders need; empty to remove it.
    """
    if marker == _EXIF and body.startswith(b"Exif\0\0"):
        exif = orientation_only_exif(body)
        return b"Exif\0\0" + exif if exif else b""
    if marker == _PROFILE and body.startswith(b"ICC_PROFILE\0"):
        return body
    if marker == _ADOBE and body.startswith(b"Adobe"):
        return body[:_ADOBE_BYTES]
    if marker == _JFIF and body.startswith(b"JFIF\0") and len(body) >= _JFIF_BYTES:
        # The last two bytes are the size of an optional thumbnail.
        is_bare = len(body) == _JFIF_BYTES
        return body if is_bare else body[: _JFIF_BYTES - 2] + bytes(2)
    return b""
