"""
A body that is read ahead by a thread: it arrives while what came before is hashed and
written, and silence is noticed by the clock, whatever keeps the connection alive.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

# Enough to keep both sides busy, and little in memory for several at once (P6).
AHEAD_BYTES = 4 * 2**20
_GLANCE_SECONDS = 0.5


class ReadAhead:
    """
    The chunks of *source*, in order, each as soon as it is there.

    The reading begins with the first `next`.  What *source* raises is raised here, and
    TimeoutError when it gives nothing for *silence* seconds, such as when a server
    sends the head of a chunk byte by byte (hazard N1).
    """

    def __init__(self, source: Iterator[bytes], *, silence: float) -> None:
        self._source = source
        self._silence = silence
        self._chunks: list[bytes] = []
        self._size = 0
        self._failure: BaseException | None = None
        self._has_ended = self._is_stopped = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[bytes]:
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        while chunks := self._next():
            yield from chunks
        if self._failure is not None:
            raise self._failure

    @property
    def is_reading(self) -> bool:
        return self._thread is not None and not self._has_ended

    def stop(self) -> None:
        """
        No more is wanted.  The reading ends with the next chunk or the next failure.
        """
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def join(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)

    def _read(self) -> None:
        try:
            for chunk in self._source:
                if not self._keep(chunk):
                    break
        except BaseException as exc:  # noqa: BLE001  (raised again where it is awaited)
            self._failure = exc
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def _keep(self, chunk: bytes) -> bool:
        with self._changed:
            self._chunks.append(chunk)
            self._size += len(chunk)
            self._changed.notify_all()
            while self._size > AHEAD_BYTES and not self._is_stopped:
                self._changed.wait()
            return not self._is_stopped

    def _next(self) -> list[bytes]:
        """
        All that is there, at least one chunk; none at the end.
        """
        until = time.monotonic() + self._silence
        with self._changed:
            while not self._chunks and not self._has_ended:
                left = until - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                # Not everywhere does a signal end a longer wait (hazard S1).
                self._changed.wait(min(left, _GLANCE_SECONDS))
            chunks, self._chunks, self._size = self._chunks, [], 0
            self._changed.notify_all()
        return chunks
