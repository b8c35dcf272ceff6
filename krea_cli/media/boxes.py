"""
Read the boxes that MP4, MOV, HEIC and AVIF files consist of.

Tables in these files store the positions of images and sound, so nothing may move:
parts to remove are overwritten in place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from krea_cli.media.file_pieces import Overwrite
from krea_cli.media.reader import DamagedError, FileReader, count_parts

# Boxes that readers skip.
_FREE = frozenset({b"free", b"skip", b"wide"})
# Bytes of version, flags and counts before the child boxes.
_FIELDS = {b"meta": 4, b"dref": 8, b"stsd": 8}


class Box(NamedTuple):
    """
    A box: its header spans `start` to `body`, its content `body` to `end`.

    The positions that its methods take are relative to `body`.
    """

    reader: FileReader
    kind: bytes
    start: int
    body: int
    end: int

    @property
    def length(self) -> int:
        """
        Length of the content in bytes.
        """
        return self.end - self.body

    def read(self, at: int, count: int) -> bytes:
        """
        Return `count` bytes of the content, starting at `at`.

        Raises:
            DamagedError: the box ends too early.
        """
        if self.body + at + count > self.end:
            raise DamagedError(f"a box ends at byte {self.end}")
        return self.reader.read(self.body + at, count)

    def unpack(self, form: str, at: int) -> tuple[Any, ...]:
        """
        Return the values at `at`, unpacked with the `struct` format `form`.

        Raises:
            DamagedError: the box ends too early.
        """
        return struct.unpack(form, self.read(at, struct.calcsize(form)))

    def number(self, at: int, width: int) -> int:
        """
        Return the unsigned integer of `width` bytes at `at`.

        Raises:
            DamagedError: the box ends too early.
        """
        return int.from_bytes(self.read(at, width))

    def children(self, at: int | None = None) -> Iterator[Box]:
        """
        Yield the direct child boxes.

        They begin at `at`, or at the usual position for this kind of box.

        Raises:
            DamagedError: a child extends beyond this box.
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
        Yield all descendants that match `path`, a sequence of box kinds.

        Raises:
            DamagedError: a box extends beyond its parent.
        """
        kind, *rest = path
        for box in self.children():
            if box.kind == kind:
                yield from box.find(*rest) if rest else [box]

    def zeros(self, at: int, count: int) -> Overwrite:
        """
        Return an overwrite that fills `count` bytes of the content with zeros.

        Raises:
            DamagedError: the box ends too early.
        """
        if self.body + at + count > self.end:
            raise DamagedError(f"a box ends at byte {self.end}")
        return Overwrite(self.body + at, self.body + at + count)

    def blank(self) -> Iterator[Overwrite]:
        """
        Yield the overwrites that turn this box into a skipped box full of zeros.
        """
        if self.kind not in _FREE:
            yield Overwrite(self.start + 4, self.start + 8, b"free")
        yield Overwrite(self.body, self.end)


def whole_file(reader: FileReader) -> Box:
    """
    Wrap the whole file as a box.
    """
    return Box(reader, b"", 0, 0, reader.size)


def find_end(reader: FileReader) -> int | None:
    """
    Return the position after the last box, before any padding.

    Return None if the media data or its index is missing.
    """
    end, kinds = 0, set[bytes]()
    try:
        for box in whole_file(reader).children():
            # Zeros would parse as a box that extends to the end.
            if box.kind == bytes(4) and reader.is_padding(box.start):
                break
            kinds.add(box.kind)
            end = box.end
    except DamagedError:
        pass
    if not reader.is_padding(end):
        return None
    return end if b"mdat" in kinds and kinds & {b"moov", b"meta"} else None
