"""
Where a TIFF and a BMP end: both say where their pixels are, but not how long they are.
"""

from __future__ import annotations

import struct
from typing import IO

_MOST_PAGES, _MOST_FIELDS, _MOST_VALUES = 10_000, 4096, 2**20
# Bytes that a value of each type has.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
# Offsets and lengths of the strips, and of the tiles.
_PIECES = ((273, 279), (324, 325))
_TAGS = {tag for pair in _PIECES for tag in pair}


def tiff_end(file: IO[bytes], size: int) -> int | None:
    """
    Where the last page, value or piece of the pixels ends; None where pixels are
    missing.
    """
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    (version,) = struct.unpack(order + "H", head[2:4])
    is_big = version == 43
    (at,) = struct.unpack_from(order + ("Q" if is_big else "I"), head, 4 + 4 * is_big)
    end, has_pixels = 8, False
    for _ in range(_MOST_PAGES):
        if not at or at >= size:
            break
        fields, page_end, at = _page(file, at, order, is_big=is_big)
        end = max(end, page_end)
        for offsets, lengths in _PIECES:
            pieces = zip(fields.get(offsets, ()), fields.get(lengths, ()), strict=False)
            for start, length in pieces:
                has_pixels = True
                end = max(end, start + length)
    return max(end, at) if has_pixels else None


def _page(
    file: IO[bytes], at: int, order: str, *, is_big: bool
) -> tuple[dict[int, tuple[int, ...]], int, int]:
    """
    The places and lengths of the pixels of the page at *at*, where the page ends, and
    where the next one is (0: nowhere).
    """
    counter, field, offset = ("Q", "HHQ8s", "Q") if is_big else ("H", "HHI4s", "I")
    file.seek(at)
    (count,) = struct.unpack(order + counter, file.read(struct.calcsize(counter)))
    if count > _MOST_FIELDS:
        raise struct.error
    one = struct.calcsize(order + field)
    raw = file.read(count * one + struct.calcsize(offset))
    end = at + struct.calcsize(counter) + len(raw)
    fields = {}
    for entry in range(count):
        tag, kind, values, inside = struct.unpack_from(order + field, raw, entry * one)
        length = _SIZES.get(kind, 1) * values
        if length > len(inside):
            (place,) = struct.unpack(order + offset, inside)
            end = max(end, place + length)
        if kind in _LETTERS and values <= _MOST_VALUES and tag in _TAGS:
            if length > len(inside):
                file.seek(place)
                inside = file.read(length)
            fields[tag] = struct.unpack_from(f"{order}{values}{_LETTERS[kind]}", inside)
    (following,) = struct.unpack_from(order + offset, raw, count * one)
    return fields, end, following


def bmp_end(file: IO[bytes], _size: int) -> int | None:
    """
    Where the pixels end: by width, height and depth where they are not compressed, as
    not every program writes the right length of the file.
    """
    file.seek(0)
    head = file.read(34)
    length, pixels, header = struct.unpack("<I4xII", head[2:18])
    if header == 12:
        width, height, depth = struct.unpack("<HH2xH", head[18:26])
        compression = 0
    else:
        width, height, depth, compression = struct.unpack("<ii2xHI", head[18:34])
    if compression in (1, 2, 4, 5):  # run lengths, JPEG or PNG
        return int(length) if length > pixels else None
    end = int(pixels + (width * depth + 31) // 32 * 4 * abs(height))
    return end if end > pixels else None
