"""
A file read by place: what lies close together is read from disk at once.
"""

from __future__ import annotations

from typing import IO

_WINDOW_BYTES = 1 << 13


class Window:
    """
    Reads from *file*, which can seek, and keeps the bytes around the last place: a file
    made of millions of tiny parts must not cost as many reads.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._start, self._data = 0, b""

    def read(self, at: int, count: int) -> bytes:
        """
        The *count* bytes from *at* on, fewer where the file ends.
        """
        skip = at - self._start
        if skip < 0 or skip + count > len(self._data):
            self._file.seek(at)
            self._data = self._file.read(max(count, _WINDOW_BYTES))
            self._start, skip = at, 0
        return self._data[skip : skip + count]
