"""
Measure HEIC images, and blank everything that is not needed to show them.

Items that describe the image are overwritten with empty ones. Depth and gain maps are
images and stay; a video after the image is removed. The orientation is a property of
the image, not of its EXIF.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from krea_cli.media import boxes, mp4
from krea_cli.media.boxes import Box, whole_file
from krea_cli.media.file_pieces import (
    ByteRange,
    Overwrite,
    zero_gaps,
)
from krea_cli.media.reader import DamagedError, FileReader
from krea_cli.media.sample_tables import SampleChunk

find_end = boxes.find_end

# Offset to the TIFF header, then a directory without entries.
_EXIF = b"\0\0\0\x06Exif\0\0MM\0*" + struct.pack(">IHI", 8, 0, 0)
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
# Per item type: the bytes written at its start, and the fill byte for the rest.
_EMPTY = {b"Exif": (_EXIF, b"\0"), b"mime": (_XMP, b" "), b"uri ": (b"", b"\0")}

_PICTURES = frozenset(
    b"hvc1 hev1 lhv1 hvt1 av01 avc1 vvc1 jpeg j2k1 unci grid iovl iden tmap".split()
)
_KEPT = {
    **mp4.FILM.kept,
    b"": mp4.FILM.kept[b""] | {b"meta"},
    b"meta": frozenset(b"hdlr pitm iloc iinf iref iprp idat grpl dinf".split()),
    b"iprp": frozenset({b"ipco", b"ipma"}),
    # Properties are referenced by number, so each keeps its place, if only as an empty
    # box.
    b"ipco": frozenset(
        b"hvcC lhvC avcC vvcC av1C jpgC j2kH uncC cmpd cmpC icef ispe pixi pasp colr "
        b"clli mdcv cclv amve ndwt irot imir clap auxC rloc lsel a1op a1lx iscl tols "
        b"oinf tmap".split()
    ),
}
_TO_THE_END = 1 << 62
_MAX_TABLE, _MAX_EXTENTS = 1 << 20, 1 << 16
_IN_FILE, _IN_SMALL, _ELSEWHERE = 0, 1, 2


class _Item(NamedTuple):
    """
    An entry of the item table. Its name begins at `name`, the entry ends at `end`.
    """

    number: int
    kind: bytes
    name: int
    end: int


class _Place(NamedTuple):
    """
    Where the parts of an item are stored. `method` says whether the extents are in the
    file, in the box for small items, or elsewhere.
    """

    item: int
    method: int
    extents: list[tuple[int, int]]


def dimensions(reader: FileReader) -> tuple[int, int] | None:
    """
    Return width and height in pixels of the largest image in the file.

    Raises:
        DamagedError: the boxes are inconsistent.
    """
    sizes = whole_file(reader).find(b"meta", b"iprp", b"ipco", b"ispe")
    return max((size.unpack(">II", 4) for size in sizes), default=None)


def is_on_its_side(reader: FileReader) -> bool:
    """
    Return whether the image is shown rotated by 90 or 270 degrees.

    Raises:
        DamagedError: the boxes are inconsistent.
    """
    # The file may be truncated after the description.
    meta = next(whole_file(reader).find(b"meta"), whole_file(reader))
    containers = meta.find(b"iprp", b"ipco")
    properties = [each for box in containers for each in box.children()]
    mains = {_main_item(box) for box in meta.find(b"pitm")}
    turns = 0
    for box in meta.find(b"iprp", b"ipma"):
        for item, index in _associations(box):
            if item in mains and 0 < index <= len(properties):
                found = properties[index - 1]
                turns += found.kind == b"irot" and found.number(0, 1) & 3
    return turns % 2 == 1


def strip(reader: FileReader) -> Iterator[ByteRange]:
    """
    Yield the pieces of the image without metadata. It looks the same.

    Raises:
        DamagedError: the boxes are inconsistent, or the main image has an unknown type.
    """
    yield from mp4.strip_with_rules(reader, _PICTURE)


def _description(meta: Box, index: mp4.MediaIndex) -> Iterator[Overwrite]:
    inside = {box.kind: box for box in meta.children()}
    yield from mp4.changes(meta.children(), index, _PICTURE, b"meta")
    if b"iinf" not in inside:
        return
    items = list(_items(inside[b"iinf"]))
    if b"pitm" in inside:
        main = _main_item(inside[b"pitm"])
        if {item.kind for item in items if item.number == main}.isdisjoint(_PICTURES):
            raise DamagedError("the main image has an unknown type")
    if b"iloc" in inside:
        kinds = {item.number: item.kind for item in items}
        yield from _item_changes(inside, kinds, index)


def _item_changes(
    meta: Mapping[bytes, Box], kinds: Mapping[int, bytes], index: mp4.MediaIndex
) -> Iterator[Overwrite]:
    small = meta.get(b"idat")
    bases = {_IN_FILE: 0, **({_IN_SMALL: small.body} if small else {})}
    kept_small = []
    for place in _places(meta[b"iloc"]):
        kind = kinds.get(place.item, b"")
        if kind in _PICTURES:
            base = bases.get(place.method, 0)
            found = [
                SampleChunk(base + at, n or _TO_THE_END) for at, n in place.extents
            ]
            index.add(found, is_kept=place.method == _IN_FILE)
            kept_small += [
                range(each.start, each.start + each.length) for each in found
            ]
        else:
            emptied = list(_emptied(place, bases, kind))
            yield from emptied
            written = [range(change.start, change.end) for change in emptied]
            index.blanked += written
            kept_small += written
    if small:
        yield from zero_gaps(kept_small, small.body, small.end)


def _emptied(
    place: _Place, bases: Mapping[int, int], kind: bytes
) -> Iterator[Overwrite]:
    if place.method not in bases or not all(count for _, count in place.extents):
        raise DamagedError("unknown metadata location")
    first, rest = _EMPTY.get(kind, (b"", b"\0"))
    for start, count in place.extents:
        at = bases[place.method] + start
        yield Overwrite(at, at + count, first, rest)
        first = b""


def _names(box: Box, _index: mp4.MediaIndex) -> Iterator[Overwrite]:
    """
    Blank the names of items. The data after a name says how to read the item.
    """
    for item in _items(box):
        name = box.reader.read(item.name, item.end - item.name).partition(b"\0")[0]
        if name not in mp4.NEUTRAL_NAMES:
            yield Overwrite(item.name, item.name + len(name), b"", b" ")


def _main_item(box: Box) -> int:
    return box.number(4, 4 if box.number(0, 1) else 2)


def _items(box: Box) -> Iterator[_Item]:
    for entry in box.children(8 if box.number(0, 1) else 6):
        version = entry.number(0, 1)
        width = 4 if version > 2 else 2
        number = entry.number(4, width)
        if version < 2:
            # Early versions have no type, only text such as XMP.
            yield _Item(number, b"mime", entry.body + 8, entry.end)
        else:
            kind = entry.read(6 + width, 4)
            yield _Item(number, kind, entry.body + 10 + width, entry.end)


def _table(box: Box) -> Callable[[int], int]:
    """
    Return a function that reads the next unsigned integer of a given number of bytes.
    """
    content = io.BytesIO(box.read(0, min(box.length, _MAX_TABLE)))

    def number(width: int) -> int:
        data = content.read(width)
        if len(data) != width:
            raise DamagedError("the item table is incomplete")
        return int.from_bytes(data)

    return number


def _associations(box: Box) -> Iterator[tuple[int, int]]:
    """
    Yield pairs of an item number and the index (from 1) of one of its properties.
    """
    number = _table(box)
    version, flags = number(1), number(3)
    width = 2 if flags & 1 else 1
    for _ in range(number(4)):
        item = number(4 if version else 2)
        for _ in range(number(1)):
            # The first bit says whether readers must support the property.
            yield item, number(width) & ((1 << 8 * width - 1) - 1)


def _places(box: Box) -> Iterator[_Place]:
    """
    Yield where each item is stored.

    Raises:
        DamagedError: the table is truncated.
    """
    number = _table(box)
    count_extents = 0
    version, _ = number(1), number(3)
    widths = number(2)
    offset, length, base, index = (widths >> at & 15 for at in (12, 8, 4, 0))
    for _ in range(number(4 if version > 1 else 2)):
        item = number(4 if version > 1 else 2)
        method = number(2) & 15 if version else _IN_FILE
        if number(2):  # stored in another file
            method = _ELSEWHERE
        start = number(base)
        extents = []
        count = number(2)
        count_extents += count
        if count_extents > _MAX_EXTENTS:
            raise DamagedError("its items have too many parts")
        for _ in range(count):
            number(index if version else 0)
            extents.append((start + number(offset), number(length)))
        yield _Place(item, method, extents)


_PICTURE = mp4.Rules(_KEPT, {**mp4.FILM.edited, b"meta": _description, b"iinf": _names})
