"""
Read files by position. Stop at damage, and at files built to exhaust time.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO, Any

# Real files have fewer parts. The file size alone does not limit the work.
MAX_PARTS = 1 << 18
_WINDOW_BYTES = 1 << 13
_MAX_PADDING, _PADDING = 4096, b"\0\t\n\r "


class DamagedError(ValueError):
    """
    The file is truncated, or violates its format.
    """


class TooManyPartsError(ValueError):
    """
    The file has more parts than any real file of its format.
    """


def count_parts(most: int = 0, *, extra: int = 0) -> Iterator[int]:
    """
    Yield 0, 1, 2 and so on while walking the parts of a file.

    The limit is `most` (default: MAX_PARTS) plus `extra`.

    Raises:
        TooManyPartsError: the limit is exceeded.
    """
    yield from range((most or MAX_PARTS) + extra)
    raise TooManyPartsError("it has too many parts")


class FileReader:
    """
    Reads bytes at any position of the seekable `file`.

    The bytes around the last position are buffered: a file made of millions of tiny
    parts must not need as many reads.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        self._start, self._window = 0, b""

    def peek(self, at: int, count: int) -> bytes:
        """
        Return `count` bytes at position `at`, or fewer at the end of the file.
        """
        if not 0 <= at < self.size:
            return b""
        skip = at - self._start
        if skip >= 0 and skip + count <= len(self._window):
            return self._window[skip : skip + count]
        self._file.seek(at)
        if count > _WINDOW_BYTES:
            return self._file.read(count)
        self._start, self._window = at, self._file.read(_WINDOW_BYTES)
        return self._window[:count]

    def read(self, at: int, count: int) -> bytes:
        """
        Return exactly `count` bytes at position `at`.

        Raises:
            DamagedError: the file ends too early.
        """
        data = self.peek(at, count)
        if len(data) != count:
            raise DamagedError(f"it ends before byte {at + count}")
        return data

    def unpack(self, form: str, at: int) -> tuple[Any, ...]:
        """
        Return the values at position `at`, unpacked with the `struct` format `form`.

        Raises:
            DamagedError: the file ends too early.
        """
        return struct.unpack(form, self.read(at, struct.calcsize(form)))

    def is_padding(self, at: int) -> bool:
        """
        Return whether nothing but a little padding or an empty line follows position
        `at`.
        """
        rest = self.size - at
        return rest <= _MAX_PADDING and not self.peek(at, rest).strip(_PADDING)
