"""
Find the samples of tracks in MP4, MOV and HEIC files.

Samples are the part of the media data that must stay. No player shows the rest, which
may be a camera's log.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from krea_cli.media.boxes import Box
from krea_cli.media.reader import DamagedError

# Hours of audio have about a million samples.
_MAX_SAMPLES = 1 << 22
_HAS_BASE, _BASE_IS_MOOF = 0x1, 0x20000
_HAS_DESCRIPTION, _HAS_DURATION, _HAS_SIZE = 0x2, 0x8, 0x10
_HAS_OFFSET, _HAS_FIRST_FLAGS, _HAS_DURATIONS, _HAS_SIZES = 0x1, 0x4, 0x100, 0x200
_SOUND_ENTRY = 28


class SampleChunk(NamedTuple):
    """
    Consecutive samples of one track: `length` bytes, or up to `most` if the tables
    leave the length open.
    """

    start: int
    length: int
    most: int = 0


def ranges(kept: Iterable[SampleChunk], starts: Iterable[int]) -> Iterator[range]:
    """
    Yield the byte ranges of the chunks.

    A chunk of unknown length ends at the next of `starts`.
    """
    known = sorted(set(starts))
    for chunk in kept:
        after = bisect_right(known, chunk.start)
        most = min([chunk.start + chunk.most, *known[after : after + 1]])
        yield range(chunk.start, max(chunk.start + chunk.length, most))


def chunks(table: Mapping[bytes, Box]) -> Iterator[SampleChunk]:
    """
    Yield the chunks of a track, given the boxes of its sample table.

    Raises:
        DamagedError: the tables are incomplete or contradictory.
    """
    offsets = _offsets(table)
    if not offsets:
        return
    if b"stsc" not in table:
        raise DamagedError("the sample table is incomplete")
    runs = _numbers(table[b"stsc"], 8, table[b"stsc"].number(4, 4) * 3, "I")
    size_of = _Sizes(table)
    run = -3
    first = 0
    for index, offset in enumerate(offsets, 1):
        while run + 3 < len(runs) and runs[run + 3] <= index:
            run += 3
        count = runs[run + 1] if run >= 0 else 0
        yield SampleChunk(offset, *size_of.total(first, count))
        first += count


def fragment_chunks(
    moof: Box, default_sizes: Mapping[int, int]
) -> Iterator[tuple[int, Box, list[SampleChunk]]]:
    """
    Yield the track number, box and chunks of each track in a movie fragment.

    Raises:
        DamagedError: a table is incomplete.
    """
    # A track begins where the previous one ends, unless its header states a position.
    following = moof.start
    for traf in moof.find(b"traf"):
        heads = list(traf.find(b"tfhd"))
        if len(heads) != 1:
            raise DamagedError("a fragment has no header")
        [head] = heads
        flags, track = head.unpack(">II", 0)
        base, at = following, 8
        if flags & _HAS_BASE:
            base, at = head.number(at, 8), at + 8
        elif flags & _BASE_IS_MOOF:
            base = moof.start
        at += 4 * bool(flags & _HAS_DESCRIPTION) + 4 * bool(flags & _HAS_DURATION)
        size = default_sizes.get(track, 0)
        if flags & _HAS_SIZE:
            size = head.number(at, 4)
        following, found = base, []
        for box in traf.find(b"trun"):
            chunk = _run(box, base, following, size)
            found.append(chunk)
            following = chunk.start + chunk.length
        yield track, traf, found


def _run(box: Box, base: int, at: int, size: int) -> SampleChunk:
    """
    Return the samples of a run. They begin at `at`, unless the run states an offset.
    """
    flags, count = box.unpack(">II", 0)
    place = 8
    if flags & _HAS_OFFSET:
        (offset,) = box.unpack(">i", place)
        at, place = base + offset, place + 4
    if flags & _HAS_FIRST_FLAGS:
        place += 4
    if not flags & _HAS_SIZES:
        return SampleChunk(max(at, 0), count * size)
    width = (flags & 0xF00).bit_count()
    numbers = _numbers(box, place, count * width, "I")
    return SampleChunk(max(at, 0), sum(numbers[bool(flags & _HAS_DURATIONS) :: width]))


class _Sizes:
    """
    The sample sizes of a track.
    """

    def __init__(self, table: Mapping[bytes, Box]) -> None:
        self._same = 0
        self._each: array[int] = array("I")
        if b"stsz" in table:
            self._same, count = table[b"stsz"].unpack(">II", 4)
            if not self._same:
                self._each = _numbers(table[b"stsz"], 12, count, "I")
        elif b"stz2" in table:
            self._each = _compact_sizes(table[b"stz2"])
        else:
            raise DamagedError("the sample table is incomplete")
        is_needed = self._same and b"stsd" in table
        self._sound = _sound_units(table[b"stsd"]) if is_needed else []

    def total(self, first: int, count: int) -> tuple[int, int]:
        """
        Return the minimum and maximum total size of `count` samples in bytes.
        """
        if self._same:
            sound = [-(-count // samples) * size for samples, size in self._sound]
            return count * self._same, max(sound, default=0)
        if first + count > len(self._each):
            raise DamagedError("the sample table is incomplete")
        return sum(self._each[first : first + count]), 0


def _sound_units(box: Box) -> list[tuple[int, int]]:
    """
    Return pairs of (samples, bytes) per audio unit, from the sample descriptions.

    The tables of QuickTime files count one byte for each sample of uncompressed audio.
    """
    found = []
    for entry in box.children():
        if entry.length < _SOUND_ENTRY:
            continue
        version, channels, bits = entry.unpack(">8xH6xHH8x", 0)
        found.append((1, min(channels, 64) * (-(-min(bits, 64) // 8) or 1)))
        if version == 1 and entry.length >= _SOUND_ENTRY + 16:
            samples, _, size = entry.unpack(">III", _SOUND_ENTRY)
            found += [(samples, size)] if samples else []
        elif version == 2 and entry.length >= _SOUND_ENTRY + 36:
            found.append((1, entry.number(56, 4)))
    return found


def _compact_sizes(box: Box) -> array[int]:
    width, count = box.unpack(">BI", 7)
    if width in (8, 16):
        return _numbers(box, 12, count, "B" if width == 8 else "H")
    if width != 4:
        raise DamagedError("the sample table is incomplete")
    pairs = _numbers(box, 12, -(-count // 2), "B")
    return array("I", [half for each in pairs for half in (each >> 4, each & 15)])


def _offsets(table: Mapping[bytes, Box]) -> array[int]:
    for kind, code in ((b"stco", "I"), (b"co64", "Q")):
        if kind in table:
            return _numbers(table[kind], 8, table[kind].number(4, 4), code)
    return array("I")


def _numbers(box: Box, at: int, count: int, code: str) -> array[int]:
    """
    Read `count` big-endian numbers at position `at` of a box.
    """
    result = array(code)
    if count > 3 * _MAX_SAMPLES:
        raise DamagedError("the sample table is too long")
    result.frombytes(box.read(at, count * result.itemsize))
    if sys.byteorder == "little":
        result.byteswap()
    return result
