"""
Find the end of a WebM file, and void everything that is not needed to play it.

Tables store positions in the file, so nothing may move: elements that are not listed
here become void elements of the same length, filled with zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from krea_cli.media.file_pieces import ByteRange, Overwrite, apply_overwrites
from krea_cli.media.reader import DamagedError, FileReader, count_parts

_FILE, _EBML, _SEGMENT, _CLUSTER = 0, 0x1A45DFA3, 0x18538067, 0x1F43B675
_SEEK_HEAD, _INFO, _TRACKS, _CUES = 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B
_TAGS, _ATTACHMENTS, _CHAPTERS = 0x1254C367, 0x1941A469, 0x1043A770
_TOP = {_CLUSTER, _SEEK_HEAD, _INFO, _TRACKS, _CUES, _TAGS, _ATTACHMENTS, _CHAPTERS}
_TRACK, _TRACK_NUMBER, _TRACK_KIND = 0xAE, 0xD7, 0x83
_GROUP, _BLOCK, _SIMPLE_BLOCK = 0xA0, 0xA1, 0xA3
_MUXER, _WRITER = 0x4D80, 0x5741
_CHECKSUM, _VOID = 0xBF, 0xEC
_PICTURES, _SOUND = 1, 2
# Hours of audio have about half as many.
_MAX_ELEMENTS = 1 << 20

# Elements to keep, by parent element.
_KEPT = {
    _FILE: {_EBML, _SEGMENT},
    _SEGMENT: {_SEEK_HEAD, _INFO, _TRACKS, _CUES, _CLUSTER, _CHECKSUM},
    # Time scale and duration, and the program names, which the format requires.
    _INFO: {0x2AD7B1, 0x4489, _MUXER, _WRITER},
    _TRACKS: {_TRACK},
    # Numbers, flags, codec, delays, video, audio, mapping of additions (alpha, HDR).
    _TRACK: {
        *(_TRACK_NUMBER, 0x73C5, _TRACK_KIND, 0xB9, 0x88, 0x55AA, 0x55AF, 0x9C),
        *(0x6DE7, 0x6DF8, 0x23E383, 0x234E7A, 0x23314F, 0x537F, 0x55EE, 0x41E4),
        *(0x22B59C, 0x22B59D, 0x86, 0x63A2, 0xAA, 0x56AA, 0x56BB, 0xE0, 0xE1),
        *(0x6D80, _CHECKSUM),
    },
    _CLUSTER: {0xE7, 0xA7, 0xAB, _SIMPLE_BLOCK, _GROUP, _CHECKSUM},
    # Block, additions (alpha), duration, references, padding, codec state.
    _GROUP: {_BLOCK, 0x75A1, 0x9B, 0xFA, 0xFB, 0xA4, 0x75A2, _CHECKSUM},
}
# Elements whose length live encoders do not know.
_LIVE = {_SEGMENT, _CLUSTER}
# Blocks are small by design, so a large file may have many.
_BLOCK_BYTES = 64
# From this size on, the length of a void element takes eight bytes.
_LONG_VOID = 2 + 127


class Element(NamedTuple):
    """
    An element that spans `start` to `end`; its content begins at `body`.

    An element of unknown length first gets an empty content.
    """

    name: int
    start: int
    body: int
    end: int
    is_open: bool = False


def walk(reader: FileReader, start: int, end: int) -> Iterator[Element]:
    """
    Yield the elements from `start` to `end` without their children.

    The children of an element of unknown length follow it.

    Raises:
        DamagedError: an element extends beyond its parent.
    """
    for _ in count_parts(extra=(end - start) // _BLOCK_BYTES):
        if start >= end:
            return
        head = reader.read(start, min(12, end - start))
        at = _width(head, 4)
        width = _width(head[at:], 8)
        unknown = (1 << 7 * width) - 1
        length = int.from_bytes(head[at : at + width]) & unknown
        name, body = int.from_bytes(head[:at]), start + at + width
        is_open = length == unknown
        if is_open and name not in _LIVE:
            raise DamagedError(f"an element of unknown length at byte {start}")
        stop = body if is_open else body + length
        if stop > end:
            raise DamagedError(f"an element has {length} bytes")
        yield Element(name, start, body, stop, is_open)
        start = stop


def _width(head: bytes, most: int) -> int:
    width = 9 - head[0].bit_length() if head else 9
    if width > min(most, len(head)):
        raise DamagedError("the length of an element is unreadable")
    return width


def elements(reader: FileReader, start: int, end: int) -> Iterator[Element]:
    """
    Yield the elements from `start` to `end` without their children.

    Elements of unknown length: a segment extends to `end`, and a cluster to the next
    element of its level.

    Raises:
        DamagedError: an element extends beyond its parent.
    """
    cluster = None
    for each in walk(reader, start, end):
        if cluster and each.name not in _TOP:
            continue
        if cluster:
            yield cluster._replace(end=each.start)
        cluster = each if each.is_open and each.name == _CLUSTER else None
        if each.is_open and each.name == _SEGMENT:
            yield each._replace(end=end)
            return
        if not each.is_open:
            yield each
    if cluster:
        yield cluster._replace(end=end)


def find_end(reader: FileReader) -> int | None:
    """
    Return the end of the last element, before any padding, or None if elements are
    missing.

    A live segment and its clusters extend to the end of the file by definition, so the
    elements inside them count. A cut between two of these cannot be detected.
    """
    count = end = 0
    is_live = False
    try:
        for each in walk(reader, 0, reader.size):
            count += 1
            end = each.end
            is_live |= each.is_open
    except DamagedError:
        # Padding looks like a damaged element.
        if not reader.is_padding(end):
            return None
    return end if count >= 2 + is_live else None


def strip(reader: FileReader) -> Iterator[ByteRange]:
    """
    Yield the pieces of the video without metadata. It plays the same.

    Raises:
        DamagedError: the elements are inconsistent.
    """
    yield from apply_overwrites(range(reader.size), _Film(reader).changes())


@dataclass
class _Film:
    """
    A video, and the numbers of the tracks to remove from it.
    """

    reader: FileReader
    removed_tracks: set[int] = field(default_factory=set)
    counter: Iterator[int] = field(default_factory=lambda: count_parts(_MAX_ELEMENTS))

    def changes(self) -> Iterator[Overwrite]:
        """
        Yield overwrites that void everything except the elements to keep.
        """
        yield from self._inside(Element(_FILE, 0, 0, self.reader.size))

    def _elements(self, start: int, end: int) -> Iterator[Element]:
        for each in elements(self.reader, start, end):
            next(self.counter)
            yield each

    def _inside(self, parent: Element) -> Iterator[Overwrite]:
        content = list(self._elements(parent.body, parent.end))
        found: list[Overwrite] = []
        for each in content:
            if each.name not in _KEPT[parent.name] or self._is_of_removed_track(each):
                found.append(_void(each))
            elif each.name in (_MUXER, _WRITER):
                found.append(Overwrite(each.body, each.end))
            elif each.name in _KEPT:
                found += self._inside(each)
        yield from found
        # Changes below this element invalidate its checksum.
        is_wrong = bool(found) and _CHECKSUM in _KEPT[parent.name]
        yield from (
            _void(each) for each in content if is_wrong and each.name == _CHECKSUM
        )

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
            each.name: int.from_bytes(self.reader.read(each.body, each.end - each.body))
            for each in self._elements(track.body, track.end)
            if each.name in (_TRACK_NUMBER, _TRACK_KIND) and each.end - each.body <= 8
        }
        is_shown = numbers.get(_TRACK_KIND) in (_PICTURES, _SOUND)
        if not is_shown:
            self.removed_tracks.add(numbers.get(_TRACK_NUMBER, 0))
        return is_shown

    def _is_removed(self, block: Element) -> bool:
        head = self.reader.read(block.body, min(8, block.end - block.body))
        width = _width(head, 8)
        number = int.from_bytes(head[:width]) & ((1 << 7 * width) - 1)
        return number in self.removed_tracks


def _void(element: Element) -> Overwrite:
    """
    Turn the element into a void element of the same length.
    """
    length = element.end - element.start
    if length < _LONG_VOID:
        head = bytes([_VOID, 0x80 | length - 2])
    else:
        head = bytes([_VOID]) + (1 << 56 | length - 9).to_bytes(8)
    return Overwrite(element.start, element.end, head)
