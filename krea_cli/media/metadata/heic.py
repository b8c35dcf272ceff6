"""
HEIC: keep the pictures and what is needed to show them, and blank everything else.

Items that describe the picture are overwritten by empty ones. Depth and gain maps are
pictures, and stay; a film behind the picture goes. Which way up it is shown is a
property of the picture itself, not of its EXIF.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, NamedTuple

from krea_cli.media.metadata import movie
from krea_cli.media.metadata.boxes import Box, Patch, blank, boxes, gaps, patched
from krea_cli.media.metadata.pieces import ByteRange, DamagedError, read
from krea_cli.media.metadata.sample_tables import Chunk, merged

# The offset of what follows, and a directory without entries.
_EXIF = b"\0\0\0\x06Exif\0\0MM\0*" + struct.pack(">IHI", 8, 0, 0)
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
# By the type of an item: what is written over its start, and over the rest.
_EMPTY = {b"Exif": (_EXIF, b"\0"), b"mime": (_XMP, b" "), b"uri ": (b"", b"\0")}

# What stays of the description of the items.
_KEPT = frozenset(b"hdlr pitm iloc iinf iref iprp idat grpl dinf".split())
_PICTURES = frozenset(
    b"hvc1 hev1 lhv1 hvt1 av01 avc1 vvc1 jpeg j2k1 unci grid iovl iden tmap".split()
)
_PROPERTIES = frozenset(
    b"hvcC lhvC avcC vvcC av1C jpgC j2kH uncC cmpd cmpC icef ispe pixi pasp colr clli "
    b"mdcv cclv amve ndwt irot imir clap auxC rloc lsel a1op a1lx iscl tols oinf "
    b"tmap".split()
)
_TO_THE_END = 1 << 62

_MOST_TABLE, _MOST_PARTS = 1 << 20, 1 << 16
_IN_FILE, _IN_SMALL, _ELSEWHERE = 0, 1, 2


class _Item(NamedTuple):
    """
    An entry of the table of items: its name begins at `name`, the entry ends at `end`.
    """

    number: int
    kind: bytes
    name: int
    end: int


class _Place(NamedTuple):
    """
    Where the parts of an item lie: by *method* in the file, in the box for small items,
    or elsewhere.
    """

    item: int
    method: int
    extents: list[tuple[int, int]]


def bare(file: IO[bytes], size: int) -> Iterator[ByteRange]:
    """
    Yield the pieces of a picture that looks the same, and says nothing else.

    Raises:
        DamagedError: its boxes do not fit into each other, or the main picture is of
            a kind that is not understood here.
    """
    top = list(boxes(file, 0, size))
    index = movie.Index()
    found: list[Patch] = []
    for box in top:
        if box.kind == b"meta":
            found += _meta_patches(file, box, index)
    others = (box for box in top if box.kind != b"meta")
    found += movie.patches(file, others, index)
    yield from patched(file, [*found, *index.media_patches(top)], size)


def sides(file: IO[bytes], size: int) -> tuple[int, int] | None:
    """
    Width and height in pixels of the largest picture in the file.

    Raises:
        DamagedError: its boxes do not fit into each other.
    """
    found = [
        struct.unpack(">II", read(file, each.body + 4, 8))
        for top in boxes(file, 0, size)
        if top.kind == b"meta"
        for properties in boxes(file, top.body + 4, top.end)
        if properties.kind == b"iprp"
        for container in boxes(file, properties.body, properties.end)
        if container.kind == b"ipco"
        for each in boxes(file, container.body, container.end)
        if each.kind == b"ispe"
    ]
    return max(found, default=None)


def _inside(file: IO[bytes], meta: Box) -> dict[bytes, Box]:
    # Its content begins with a version.
    return {box.kind: box for box in boxes(file, meta.body + 4, meta.end)}


def _meta_patches(file: IO[bytes], meta: Box, index: movie.Index) -> Iterator[Patch]:
    inside = _inside(file, meta)
    for box in boxes(file, meta.body + 4, meta.end):
        if box.kind not in _KEPT:
            yield from blank(box)
        elif box.kind == b"hdlr":
            yield from movie.handler_name(file, box, index)
        elif box.kind == b"iprp":
            yield from _property_patches(file, box)
        elif box.kind == b"iinf":
            yield from _name_patches(file, box)
    if b"pitm" in inside and b"iinf" in inside:
        _check_main(file, inside[b"pitm"], _items(file, inside[b"iinf"]))
    if b"iinf" in inside and b"iloc" in inside:
        yield from _item_patches(file, inside, index)


def _item_patches(
    file: IO[bytes], meta: Mapping[bytes, Box], index: movie.Index
) -> Iterator[Patch]:
    kinds = {item.number: item.kind for item in _items(file, meta[b"iinf"])}
    small = meta.get(b"idat")
    bases = {_IN_FILE: 0, **({_IN_SMALL: small.body} if small else {})}
    kept_small = []
    for place in _places(file, meta[b"iloc"]):
        kind = kinds.get(place.item, b"")
        if kind in _PICTURES:
            base = bases.get(place.method, 0)
            found = [Chunk(base + at, n or _TO_THE_END) for at, n in place.extents]
            index.add(found, is_kept=place.method == _IN_FILE)
            kept_small += [
                range(each.start, each.start + each.length) for each in found
            ]
        else:
            emptied = list(_emptied(place, bases, kind))
            yield from emptied
            written = [range(patch.start, patch.end) for patch in emptied]
            index.blanked += written
            kept_small += written
    if small:
        yield from gaps(merged(kept_small), small.body, small.end)


def _emptied(place: _Place, bases: Mapping[int, int], kind: bytes) -> Iterator[Patch]:
    if place.method not in bases or not all(count for _, count in place.extents):
        raise DamagedError("unknown metadata location")
    first, rest = _EMPTY.get(kind, (b"", b"\0"))
    for start, count in place.extents:
        at = bases[place.method] + start
        yield Patch(at, at + count, first, rest)
        first = b""


def _property_patches(file: IO[bytes], box: Box) -> Iterator[Patch]:
    for part in boxes(file, box.body, box.end):
        if part.kind not in (b"ipco", b"ipma"):
            yield from blank(part)
        elif part.kind == b"ipco":
            # Their numbers count, so each stays in its place.
            for each in boxes(file, part.body, part.end):
                if each.kind not in _PROPERTIES:
                    yield from blank(each)


def _name_patches(file: IO[bytes], box: Box) -> Iterator[Patch]:
    """
    Items may have a name; what comes behind it says how to read those that are blanked.
    """
    for item in _items(file, box):
        name = read(file, item.name, item.end - item.name).partition(b"\0")[0]
        if name not in movie.NEUTRAL_NAMES:
            yield Patch(item.name, item.name + len(name), b"", b" ")


def _check_main(file: IO[bytes], box: Box, items: Iterable[_Item]) -> None:
    version = read(file, box.body, 1)[0]
    number = int.from_bytes(read(file, box.body + 4, 4 if version else 2))
    if {item.kind for item in items if item.number == number}.isdisjoint(_PICTURES):
        raise DamagedError("its main picture is of an unknown kind")


def _items(file: IO[bytes], box: Box) -> Iterator[_Item]:
    version = read(file, box.body, 1)[0]
    for entry in boxes(file, box.body + (8 if version else 6), box.end):
        version = read(file, entry.body, 1)[0]
        width = 4 if version > 2 else 2
        number = int.from_bytes(read(file, entry.body + 4, width))
        if version < 2:
            # Early writers: text of some kind, as XMP is.
            yield _Item(number, b"mime", entry.body + 8, entry.end)
        else:
            kind = read(file, entry.body + 6 + width, 4)
            yield _Item(number, kind, entry.body + 10 + width, entry.end)


def _places(file: IO[bytes], box: Box) -> Iterator[_Place]:
    """
    Where each item lies.

    Raises:
        DamagedError: the table is cut.
    """
    table = io.BytesIO(read(file, box.body, min(box.end - box.body, _MOST_TABLE)))
    parts = 0

    def number(width: int) -> int:
        data = table.read(width)
        if len(data) != width:
            raise DamagedError("the table of items is cut")
        return int.from_bytes(data)

    version, _ = number(1), number(3)
    widths = number(2)
    offset, length, base, index = (widths >> at & 15 for at in (12, 8, 4, 0))
    for _ in range(number(4 if version > 1 else 2)):
        item = number(4 if version > 1 else 2)
        method = number(2) & 15 if version else _IN_FILE
        if number(2):  # another file
            method = _ELSEWHERE
        start = number(base)
        extents = []
        count = number(2)
        parts += count
        if parts > _MOST_PARTS:
            raise DamagedError("its items have too many parts")
        for _ in range(count):
            number(index if version else 0)
            extents.append((start + number(offset), number(length)))
        yield _Place(item, method, extents)
