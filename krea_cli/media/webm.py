"""
WebM: find where it ends, and void everything that is not needed to show the pictures
and play the sound.

Positions in the file are stored in tables, so nothing is moved: elements that are not
listed here become void ones of the same length, full of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from krea_cli.media.file_pieces import ByteRange, Overwrite, overwritten
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
# Hours of sound have about half as many.
_MOST_ELEMENTS = 1 << 20

# Elements that stay, by the one that it is in.
_KEPT = {
    _FILE: {_EBML, _SEGMENT},
    _SEGMENT: {_SEEK_HEAD, _INFO, _TRACKS, _CUES, _CLUSTER, _CHECKSUM},
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
# Live encoders cannot know how long these become.
_LIVE = {_SEGMENT, _CLUSTER}
# Blocks are small by design, so a large file may have many of them.
_BLOCK_BYTES = 64
# From here on the length of a void element is written in eight bytes.
_LONG_VOID = 2 + 127


class Element(NamedTuple):
    """
    An element from `start` to `end`; its content begins at `body`. One of unknown
    length ends at its own body for now.
    """

    name: int
    start: int
    body: int
    end: int
    is_open: bool = False


def walk(reader: FileReader, start: int, end: int) -> Iterator[Element]:
    """
    Yield the elements from `start` to `end`, without those in them; after one of
    unknown length follow those in it.

    Raises:
        DamagedError: an element is longer than its parent.
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
    Yield the elements from `start` to `end`, without those in them. Of those of unknown
    length a segment reaches to the end, and a cluster to the next top element.

    Raises:
        DamagedError: an element is longer than its parent.
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
    Return where the last element ends, or padding begins; None if elements are missing.

    A live segment and its clusters reach to the end by definition, so there it is the
    elements inside that count, and a cut between two cannot be seen.
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
    Yield the pieces of a film that shows and plays the same, and says nothing else.

    Raises:
        DamagedError: its elements do not fit into each other.
    """
    yield from overwritten(range(reader.size), _Film(reader).changes())


@dataclass
class _Film:
    """
    A film, and the numbers of the tracks that are removed from it.
    """

    reader: FileReader
    removed_tracks: set[int] = field(default_factory=set)
    counter: Iterator[int] = field(default_factory=lambda: count_parts(_MOST_ELEMENTS))

    def changes(self) -> Iterator[Overwrite]:
        """
        Yield what voids everything that does not stay.
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
        # A checksum over what was changed would be wrong.
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
    Replace the element by a void one of the same length.
    """
    length = element.end - element.start
    if length < _LONG_VOID:
        head = bytes([_VOID, 0x80 | length - 2])
    else:
        head = bytes([_VOID]) + (1 << 56 | length - 9).to_bytes(8)
    return Overwrite(element.start, element.end, head)
