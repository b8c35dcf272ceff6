"""
Find where the samples of a track lie in an MP4, MOV or HEIC file.

The result is what must stay: everything else among the media data is unknown to the
tables, so no player shows it, and may be a camera's log.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, NamedTuple

from krea_cli.media.metadata.boxes import Box, boxes
from krea_cli.media.metadata.pieces import DamagedError, read

# Hours of sound have about a million samples.
_MOST_SAMPLES = 1 << 22
_HAS_BASE, _BASE_IS_MOOF = 0x1, 0x20000
_HAS_OFFSET, _HAS_FIRST_FLAGS, _HAS_SIZES = 0x1, 0x4, 0x200


class Chunk(NamedTuple):
    """
    Samples of one track that follow each other: `length` bytes, or up to `most` where
    the tables do not say it.
    """

    start: int
    length: int
    most: int = 0


def merged(ranges: Iterable[range]) -> list[range]:
    """
    Sort the ranges, and join those that touch.
    """
    result: list[range] = []
    for each in sorted(ranges, key=lambda each: each.start):
        if result and each.start <= result[-1].stop:
            result[-1] = range(result[-1].start, max(result[-1].stop, each.stop))
        elif each:
            result.append(each)
    return result


def ranges(kept: Iterable[Chunk], starts: Iterable[int]) -> Iterator[range]:
    """
    Yield the places of the chunks. One of unknown length ends where the next
    one starts.
    """
    known = sorted(set(starts))
    for chunk in kept:
        after = bisect_right(known, chunk.start)
        most = min([chunk.start + chunk.most, *known[after : after + 1]])
        yield range(chunk.start, max(chunk.start + chunk.length, most))


def chunks(file: IO[bytes], table: Mapping[bytes, Box]) -> Iterator[Chunk]:
    """
    Yield the chunks of a track by the boxes of its sample table.

    Raises:
        DamagedError: the tables are incomplete or contradict each other.
    """
    offsets = _offsets(file, table)
    if not offsets:
        return
    if b"stsc" not in table:
        raise DamagedError("the sample table is incomplete")
    runs = _numbers(file, table[b"stsc"], 8, _count(file, table[b"stsc"], 4) * 3, "I")
    size_of = _Sizes(file, table)
    run = -3
    first = 0
    for index, offset in enumerate(offsets, 1):
        while run + 3 < len(runs) and runs[run + 3] <= index:
            run += 3
        count = runs[run + 1] if run >= 0 else 0
        yield Chunk(offset, *size_of.total(first, count))
        first += count


def fragment_chunks(
    file: IO[bytes], moof: Box, default_sizes: Mapping[int, int]
) -> Iterator[tuple[int, Box, list[Chunk]]]:
    """
    Yield the track number, the box and the chunks of each track in a movie fragment.

    Raises:
        DamagedError: a table is incomplete.
    """
    following = moof.start
    for traf in boxes(file, moof.body, moof.end):
        if traf.kind != b"traf":
            continue
        inside = list(boxes(file, traf.body, traf.end))
        heads = [box for box in inside if box.kind == b"tfhd"]
        if len(heads) != 1:
            raise DamagedError("a fragment has no header")
        track, base, size = _fragment_head(file, heads[0], default_sizes)
        if base is None:
            base = following
        elif base < 0:
            base = moof.start
        at = base
        found = []
        for box in inside:
            if box.kind == b"trun":
                chunk = _run(file, box, base, at, size)
                found.append(chunk)
                at = chunk.start + chunk.length
        following = at
        yield track, traf, found


def _fragment_head(
    file: IO[bytes], head: Box, default_sizes: Mapping[int, int]
) -> tuple[int, int | None, int]:
    flags, track = struct.unpack(">II", read(file, head.body, 8))
    at, base = head.body + 8, None
    if flags & _HAS_BASE:
        (base,) = struct.unpack(">Q", read(file, at, 8))
        at += 8
    elif flags & _BASE_IS_MOOF:
        base = -1
    at += 4 * bool(flags & 0x2) + 4 * bool(flags & 0x8)
    size = default_sizes.get(track, 0)
    if flags & 0x10:
        (size,) = struct.unpack(">I", read(file, at, 4))
    return track, base, size


def _run(file: IO[bytes], box: Box, base: int, at: int, size: int) -> Chunk:
    head = int.from_bytes(read(file, box.body, 4))
    count = _count(file, box, 4)
    place = box.body + 8
    if head & _HAS_OFFSET:
        (offset,) = struct.unpack(">i", read(file, place, 4))
        at, place = base + offset, place + 4
    if head & _HAS_FIRST_FLAGS:
        place += 4
    if not head & _HAS_SIZES:
        return Chunk(max(at, 0), count * size)
    width = (head & 0xF00).bit_count()
    numbers = _numbers(file, box, place - box.body, count * width, "I")
    has_duration = bool(head & 0x100)
    return Chunk(max(at, 0), sum(numbers[has_duration::width]))


class _Sizes:
    """
    The sizes of the samples of a track.
    """

    def __init__(self, file: IO[bytes], table: Mapping[bytes, Box]) -> None:
        self._same = 0
        self._each: array[int] = array("I")
        if b"stsz" in table:
            box = table[b"stsz"]
            (self._same,) = struct.unpack(">I", read(file, box.body + 4, 4))
            if not self._same:
                count = _count(file, box, 8)
                self._each = _numbers(file, box, 12, count, "I")
        elif b"stz2" in table:
            self._each = _compact_sizes(file, table[b"stz2"])
        else:
            raise DamagedError("the sample table is incomplete")
        self._sound = (
            _sound_units(file, table[b"stsd"])
            if self._same and b"stsd" in table
            else []
        )

    def total(self, first: int, count: int) -> tuple[int, int]:
        """
        The bytes of `count` samples, at least and at most.
        """
        if self._same:
            sound = [-(-count // samples) * size for samples, size in self._sound]
            return count * self._same, max(sound, default=0)
        if first + count > len(self._each):
            raise DamagedError("the sample table is incomplete")
        return sum(self._each[first : first + count]), 0


def _sound_units(file: IO[bytes], box: Box) -> list[tuple[int, int]]:
    """
    Samples and bytes of a unit of sound, by its description.

    QuickTime files say that each sample of uncompressed sound has one byte.
    """
    found = []
    for entry in boxes(file, box.body + 8, box.end):
        if entry.end - entry.body < 28:
            continue
        version, channels, bits = struct.unpack(
            ">8xH6xHH8x", read(file, entry.body, 28)
        )
        found.append((1, min(channels, 64) * (-(-min(bits, 64) // 8) or 1)))
        if version == 1 and entry.end - entry.body >= 44:
            samples, _, size = struct.unpack(">III", read(file, entry.body + 28, 12))
            if samples:
                found.append((samples, size))
        elif version == 2 and entry.end - entry.body >= 64:
            (size,) = struct.unpack(">I", read(file, entry.body + 56, 4))
            found.append((1, size))
    return found


def _compact_sizes(file: IO[bytes], box: Box) -> array[int]:
    width = read(file, box.body + 7, 1)[0]
    count = _count(file, box, 8)
    if width == 16:
        return _numbers(file, box, 12, count, "H")
    if width == 8:
        return _numbers(file, box, 12, count, "B")
    if width != 4:
        raise DamagedError("the sample table is incomplete")
    pairs = _numbers(file, box, 12, -(-count // 2), "B")
    return array("I", [half for each in pairs for half in (each >> 4, each & 15)])


def _offsets(file: IO[bytes], table: Mapping[bytes, Box]) -> array[int]:
    for kind, code in ((b"stco", "I"), (b"co64", "Q")):
        if kind in table:
            return _numbers(file, table[kind], 8, _count(file, table[kind], 4), code)
    return array("I")


def _count(file: IO[bytes], box: Box, at: int) -> int:
    return int.from_bytes(read(file, box.body + at, 4))


def _numbers(file: IO[bytes], box: Box, at: int, count: int, code: str) -> array[int]:
    """
    Read `count` big-endian numbers from the place `at` in a box.
    """
    result = array(code)
    length = count * result.itemsize
    if count > 3 * _MOST_SAMPLES or box.body + at + length > box.end:
        raise DamagedError("the sample table is incomplete")
    result.frombytes(read(file, box.body + at, length))
    if sys.byteorder == "little":
        result.byteswap()
    return result
