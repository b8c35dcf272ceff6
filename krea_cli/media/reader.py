"""
Read a file by position, and stop at damage and at files built to keep a program busy.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO, Any

# Real files have fewer parts; the length of a file alone does not bound the work.
MOST_PARTS = 1 << 18
_WINDOW_BYTES = 1 << 13
_MOST_PADDING, _PADDING = 4096, b"\0\t\n\r "


class DamagedError(ValueError):
    """
    The file is cut, or not built as its format demands.
    """


class TooManyPartsError(ValueError):
    """
    The file has more parts than any real file of its format.
    """


def count_parts(most: int = 0, *, extra: int = 0) -> Iterator[int]:
    """
    Yield 0, 1, 2 ... for the parts of a file: `most` of them, or else `MOST_PARTS`, and
    `extra` more.

    Raises:
        TooManyPartsError: another one is asked for.
    """
    yield from range((most or MOST_PARTS) + extra)
    raise TooManyPartsError("it has too many parts")


class FileReader:
    """
    Reads any place of `file`, which can seek.

    Keeps the bytes around the last place: a file made of millions of tiny parts must
    not cost as many reads.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        self._start, self._window = 0, b""

    def peek(self, at: int, count: int) -> bytes:
        """
        Return `count` bytes from position `at`, or fewer where the file ends.
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
        Return exactly `count` bytes from position `at`.

        Raises:
            DamagedError: the file ends before.
        """
        data = self.peek(at, count)
        if len(data) != count:
            raise DamagedError(f"it ends before byte {at + count}")
        return data

    def unpack(self, form: str, at: int) -> tuple[Any, ...]:
        """
        Return the values that `struct` reads in the format `form` from position `at`.

        Raises:
            DamagedError: the file ends before.
        """
        return struct.unpack(form, self.read(at, struct.calcsize(form)))

    def is_padding(self, at: int) -> bool:
        """
        Return whether at most a little filling or an empty line follows position `at`.
        """
        rest = self.size - at
        return rest <= _MOST_PADDING and not self.peek(at, rest).strip(_PADDING)
