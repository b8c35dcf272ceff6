"""
WebM: void everything that is not needed to show the pictures and play the sound.

Positions in the file are stored in tables, so nothing is moved: elements that are not
listed here become void ones of the same length, full of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from krea_cli.media.metadata.boxes import Patch, patched
from krea_cli.media.metadata.pieces import MOST_PARTS, ByteRange, DamagedError, read

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_SEEK_HEAD, _INFO, _TRACKS, _CUES = 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B
_TAGS, _ATTACHMENTS, _CHAPTERS = 0x1254C367, 0x1941A469, 0x1043A770
_TOP = {_CLUSTER, _SEEK_HEAD, _INFO, _TRACKS, _CUES, _TAGS, _ATTACHMENTS, _CHAPTERS}
_TRACK, _TRACK_NUMBER, _TRACK_KIND = 0xAE, 0xD7, 0x83
_GROUP, _BLOCK, _SIMPLE_BLOCK = 0xA0, 0xA1, 0xA3
_MUXER, _WRITER = 0x4D80, 0x5741
_CHECKSUM, _VOID = 0xBF, 0xEC
_PICTURES, _SOUND = 1, 2
# Hours of sound have about half as many.
_MOST_ELEMENTS = 1 << 20

# What stays, by the element that it is in.
_KEPT = {
    # Beside the time scale and the duration, the names of the programs are required.
    _INFO: {0x2AD7B1, 0x4489, _MUXER, _WRITER},
    _TRACKS: {_TRACK},
    # Numbers, flags, codec, delays, pictures, sound, mapping of additions (alpha, HDR).
    _TRACK: {
        *(_TRACK_NUMBER, 0x73C5, _TRACK_KIND, 0xB9, 0x88, 0x55AA, 0x55AF, 0x9C),
        *(0x6DE7, 0x6DF8, 0x23E383, 0x234E7A, 0x23314F, 0x537F, 0x55EE, 0x41E4),
        *(0x22B59C, 0x22B59D, 0x86, 0x63A2, 0xAA, 0x56AA, 0x56BB, 0xE0, 0xE1),
        *(0x6D80, _CHECKSUM),
    },
    _CLUSTER: {0xE7, 0xA7, 0xAB, _SIMPLE_BLOCK, _GROUP, _CHECKSUM},
    # The block, additions (alpha), duration, references, padding, codec state.
    _GROUP: {_BLOCK, 0x75A1, 0x9B, 0xFA, 0xFB, 0xA4, 0x75A2, _CHECKSUM},
}
_SEGMENT_KEPT = {_SEEK_HEAD, _INFO, _TRACKS, _CUES, _CLUSTER, _CHECKSUM}


class Element(NamedTuple):
    """
    An element from `start` to `end`; its content begins at `body`.
    """

    name: int
    start: int
    body: int
    end: int


def bare(file: IO[bytes], size: int) -> Iterator[ByteRange]:
    """
    Yield the pieces of a film that shows and plays the same, and says nothing else.

    Raises:
        DamagedError: its elements do not fit into each other.
    """
    yield from patched(file, _Film(file).patches(size), size)


def elements(file: IO[bytes], start: int, end: int) -> Iterator[Element]:
    """
    Yield the elements from `start` to `end`, without those in them. Of those of unknown
    length a segment reaches to the end, and a cluster to the next of its kind.

    Raises:
        DamagedError: an element is longer than what it is in.
    """
    for _ in range(MOST_PARTS):
        if start == end:
            return
        name, body, length = _head(file, start, end)
        if length is not None:
            stop = body + length
        elif name == _SEGMENT:
            stop = end
        elif name == _CLUSTER:
            stop = _cluster_end(file, body, end)
        else:
            raise DamagedError(f"an element of unknown length at byte {start}")
        if not body <= stop <= end:
            raise DamagedError(f"an element has {length} bytes")
        yield Element(name, start, body, stop)
        start = stop
    raise DamagedError("it has too many elements")


def _head(file: IO[bytes], start: int, end: int) -> tuple[int, int, int | None]:
    """
    The name of an element, where its content begins, and how long that is.
    """
    head = read(file, start, max(0, min(12, end - start)))
    at = _width(head, 4)
    width = _width(head[at:], 8)
    unknown = (1 << 7 * width) - 1
    length = int.from_bytes(head[at : at + width]) & unknown
    name = int.from_bytes(head[:at])
    return name, start + at + width, None if length == unknown else length


def _cluster_end(file: IO[bytes], start: int, end: int) -> int:
    for _ in range(MOST_PARTS):
        if start >= end:
            return end
        name, body, length = _head(file, start, end)
        if name in _TOP or length is None:
            return start
        start = body + length
    raise DamagedError("it has too many elements")


def _width(head: bytes, most: int) -> int:
    width = 9 - head[0].bit_length() if head else 9
    if width > min(most, len(head)):
        raise DamagedError("the length of an element is unreadable")
    return width


@dataclass
class _Film:
    """
    A film, and the tracks of it that go.
    """

    file: IO[bytes]
    removed_tracks: set[int] = field(default_factory=set)
    count: int = 0

    def patches(self, size: int) -> Iterator[Patch]:
        for top in self._elements(0, size):
            if top.name == _SEGMENT:
                for each in self._elements(top.body, top.end):
                    yield from self._part(each, _SEGMENT_KEPT)
            elif top.name != _EBML:
                yield from _void(top)

    def _elements(self, start: int, end: int) -> Iterator[Element]:
        for each in elements(self.file, start, end):
            self.count += 1
            if self.count > _MOST_ELEMENTS:
                raise DamagedError("it has too many elements")
            yield each

    def _part(self, element: Element, kept: set[int]) -> Iterator[Patch]:
        if element.name not in kept:
            yield from _void(element)
        elif element.name in (_MUXER, _WRITER):
            yield Patch(element.body, element.end, b"", b"\0")
        elif self._is_of_removed_track(element):
            yield from _void(element)
        elif element.name in _KEPT:
            yield from self._inside(element)

    def _inside(self, element: Element) -> Iterator[Patch]:
        content = list(self._elements(element.body, element.end))
        found = []
        for each in content:
            found += list(self._part(each, _KEPT[element.name]))
        yield from found
        for each in content:
            # A checksum over what was changed would be wrong.
            if found and each.name == _CHECKSUM and _CHECKSUM in _KEPT[element.name]:
                yield from _void(each)

    def _is_of_removed_track(self, element: Element) -> bool:
        if element.name == _TRACK:
            return not self._is_shown(element)
        if not self.removed_tracks:
            return False
        if element.name == _GROUP:
            return any(
                each.name == _BLOCK and self._is_removed(each)
                for each in self._elements(element.body, element.end)
            )
        return element.name == _SIMPLE_BLOCK and self._is_removed(element)

    def _is_shown(self, track: Element) -> bool:
        numbers = {
            each.name: int.from_bytes(read(self.file, each.body, each.end - each.body))
            for each in self._elements(track.body, track.end)
            if each.name in (_TRACK_NUMBER, _TRACK_KIND) and each.end - each.body <= 8
        }
        is_shown = numbers.get(_TRACK_KIND) in (_PICTURES, _SOUND)
        if not is_shown:
            self.removed_tracks.add(numbers.get(_TRACK_NUMBER, 0))
        return is_shown

    def _is_removed(self, block: Element) -> bool:
        head = read(self.file, block.body, min(8, block.end - block.body))
        width = _width(head, 8)
        number = int.from_bytes(head[:width]) & ((1 << 7 * width) - 1)
        return number in self.removed_tracks


def _void(element: Element) -> Iterator[Patch]:
    """
    A void element of the same length.
    """
    length = element.end - element.start
    if length < _LONG_VOID:
        head = bytes([_VOID, 0x80 | length - 2])
    else:
        head = bytes([_VOID]) + (1 << 56 | length - 9).to_bytes(8)
    yield Patch(element.start, element.end, head, b"\0")


# From here on the length of a void element is written in eight bytes.
_LONG_VOID = 2 + 127
