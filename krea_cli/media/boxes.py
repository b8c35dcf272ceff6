"""
The boxes that MP4, MOV, HEIC and AVIF files are made of.

Tables in these files say by their place where pixels and sound lie, so nothing is ever
moved: what is to go is overwritten where it stands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from krea_cli.media.file_pieces import Overwrite
from krea_cli.media.reader import DamagedError, FileReader, count_parts

# Readers pass over these.
_FREE = frozenset({b"free", b"skip", b"wide"})
# Version, flags and counts in front of the boxes in these.
_FIELDS = {b"meta": 4, b"dref": 8, b"stsd": 8}


class Box(NamedTuple):
    """
    A box whose head reaches from `start` to `body`, and its content to `end`.

    Positions that its methods take count from `body`.
    """

    reader: FileReader
    kind: bytes
    start: int
    body: int
    end: int

    @property
    def length(self) -> int:
        """
        The number of bytes in the content.
        """
        return self.end - self.body

    def read(self, at: int, count: int) -> bytes:
        """
        Return `count` bytes of the content.

        Raises:
            DamagedError: the box ends before.
        """
        if self.body + at + count > self.end:
            raise DamagedError(f"a box ends at byte {self.end}")
        return self.reader.read(self.body + at, count)

    def unpack(self, form: str, at: int) -> tuple[Any, ...]:
        """
        Return the values that `struct` reads in the format `form`.

        Raises:
            DamagedError: the box ends before.
        """
        return struct.unpack(form, self.read(at, struct.calcsize(form)))

    def number(self, at: int, width: int) -> int:
        """
        Return the unsigned number of `width` bytes.

        Raises:
            DamagedError: the box ends before.
        """
        return int.from_bytes(self.read(at, width))

    def children(self, at: int | None = None) -> Iterator[Box]:
        """
        Yield the boxes in this one, without those in them; `at` is where they begin,
        unless known by the kind of this box.

        Raises:
            DamagedError: one is longer than this box.
        """
        start = self.body + (_FIELDS.get(self.kind, 0) if at is None else at)
        for _ in count_parts():
            # QuickTime may end a list with four zero bytes.
            if self.end - start < 8:
                return
            length, kind = self.reader.unpack(">I4s", start)
            body = start + 8
            if length == 1:
                (length,) = self.reader.unpack(">Q", body)
                body += 8
            elif length == 0:
                length = self.end - start
            end = start + length
            if not body <= end <= self.end:
                raise DamagedError(f"a box has {length} bytes")
            yield Box(self.reader, kind, start, body, end)
            start = end

    def find(self, *path: bytes) -> Iterator[Box]:
        """
        Yield the boxes that lie along a path of kinds, below this one.

        Raises:
            DamagedError: a box is longer than the one that it is in.
        """
        kind, *rest = path
        for box in self.children():
            if box.kind == kind:
                yield from box.find(*rest) if rest else [box]

    def zeros(self, at: int, count: int) -> Overwrite:
        """
        Return what overwrites `count` bytes of the content with zeros.

        Raises:
            DamagedError: the box ends before.
        """
        if self.body + at + count > self.end:
            raise DamagedError(f"a box ends at byte {self.end}")
        return Overwrite(self.body + at, self.body + at + count)

    def blank(self) -> Iterator[Overwrite]:
        """
        Yield what makes the box one that every reader passes over, full of zeros.
        """
        if self.kind not in _FREE:
            yield Overwrite(self.start + 4, self.start + 8, b"free")
        yield Overwrite(self.body, self.end)


def whole_file(reader: FileReader) -> Box:
    """
    Return the file as if it were a box.
    """
    return Box(reader, b"", 0, 0, reader.size)


def find_end(reader: FileReader) -> int | None:
    """
    Return where the last box ends, or padding begins; None if the media data or its
    index is missing.
    """
    end, kinds = 0, set[bytes]()
    try:
        for box in whole_file(reader).children():
            # Zeros look like a box that reaches to the end.
            if box.kind == bytes(4) and reader.is_padding(box.start):
                break
            kinds.add(box.kind)
            end = box.end
    except DamagedError:
        pass
    if not reader.is_padding(end):
        return None
    return end if b"mdat" in kinds and kinds & {b"moov", b"meta"} else None
