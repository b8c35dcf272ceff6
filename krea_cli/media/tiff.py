"""
Find the end of a TIFF file.

A TIFF is a list of pages. Each page is a table of fields, and some say where its pixels
are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from krea_cli.media.reader import DamagedError, FileReader

_MAX_PAGES, _MAX_FIELDS, _MAX_VALUES = 10_000, 4096, 2**20
# Size of a value in bytes, by its type.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
# Tags of offsets and lengths: of strips, and of tiles.
_PIXELS = ((273, 279), (324, 325))
_TAGS = {tag for pair in _PIXELS for tag in pair}
_BIG_VERSION = 43


# The values of the pixel tags of a page, and the end of its last value.
_Page = tuple[dict[int, tuple[int, ...]], int]


def _pages(reader: FileReader) -> Iterator[_Page]:
    order = "<" if reader.read(0, 2) == b"II" else ">"
    (version,) = reader.unpack(order + "H", 2)
    is_big = version == _BIG_VERSION
    counter, field, offset = ("Q", "HHQ8s", "Q") if is_big else ("H", "HHI4s", "I")
    (at,) = reader.unpack(order + offset, 8 if is_big else 4)
    for _ in range(_MAX_PAGES):
        if not 0 < at < reader.size:
            break
        (count,) = reader.unpack(order + counter, at)
        if count > _MAX_FIELDS:
            raise DamagedError(f"a page has {count} fields")
        at += struct.calcsize(counter)
        table = reader.read(at, count * struct.calcsize(order + field))
        at += len(table)
        entries = struct.iter_unpack(order + field, table)
        (following,) = reader.unpack(order + offset, at)
        yield _page(reader, entries, order, offset, at + struct.calcsize(offset))
        at = following
    # The position of the next page must also be inside the file.
    yield {}, at


def _page(
    reader: FileReader,
    entries: Iterator[tuple[int, int, int, bytes]],
    order: str,
    offset: str,
    end: int,
) -> _Page:
    fields = {}
    for tag, kind, count, value in entries:
        length, is_needed = _SIZES.get(kind, 1) * count, tag in _TAGS
        content = value[:length]
        if length > len(value):
            (place,) = struct.unpack(order + offset, value)
            end = max(end, place + length)
            if is_needed and count <= _MAX_VALUES:
                content = reader.read(place, length)
        if is_needed and kind in _LETTERS and count <= _MAX_VALUES:
            form = f"{order}{count}{_LETTERS[kind]}"
            fields[tag] = struct.unpack(form, content)
    return fields, end


def find_end(reader: FileReader) -> int | None:
    """
    Return the end of the last page, value or pixel data, or None if there are no
    pixels.
    """
    end, has_pixels = 8, False
    for fields, page_end in _pages(reader):
        end = max(end, page_end)
        for offsets, lengths in _PIXELS:
            starts, counts = fields.get(offsets, ()), fields.get(lengths, ())
            for start, count in zip(starts, counts, strict=False):
                has_pixels = True
                end = max(end, start + count)
    return end if has_pixels else None
