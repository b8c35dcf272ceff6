"""
A body that is read ahead by a thread: it arrives while what came before is hashed and
written, and silence is noticed by the clock, whatever keeps the connection alive.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator

from krea_cli.runtime import signals

# Enough to keep both sides busy, and little in memory for several at once (P6).
AHEAD_BYTES = 4 * 2**20
_GLANCE_SECONDS = 0.1


class PrefetchReader:
    """
    The chunks of *source*, in order, each as soon as it is there.

    The reading begins with the first `next`.  What *source* raises is raised here, and
    TimeoutError when it gives nothing for *silence* seconds, such as when a server
    sends the head of a chunk byte by byte (hazard N1).
    """

    def __init__(self, source: Iterator[bytes], *, silence: float) -> None:
        self._source = source
        self._silence = silence
        # Of all that threads can share, these alone a signal cannot leave half used.
        self._chunks = queue.SimpleQueue[bytes | BaseException | None]()
        self._taken = queue.SimpleQueue[int]()
        self._has_ended = self._is_stopped = False
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[bytes]:
        thread = threading.Thread(target=self._read, daemon=True)
        thread.start()
        # A signal may end the start, after which the thread cannot be waited for.
        self._thread = thread
        while isinstance(chunk := self._next(), bytes):
            self._taken.put(len(chunk))
            yield chunk
        if chunk is not None:
            raise chunk

    @property
    def is_reading(self) -> bool:
        return self._thread is not None and not self._has_ended

    def stop(self) -> None:
        """
        No more is wanted.  The reading ends with the next chunk or the next failure.
        """
        self._is_stopped = True
        self._taken.put(AHEAD_BYTES)

    def join(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)

    def _read(self) -> None:
        end: BaseException | None = None
        ahead = 0
        try:
            for chunk in self._source:
                self._chunks.put(chunk)
                ahead += len(chunk)
                while ahead > AHEAD_BYTES and not self._is_stopped:
                    ahead -= self._taken.get()
                if self._is_stopped:
                    break
        except BaseException as exc:  # noqa: BLE001  (raised again where it is awaited)
            end = exc
        self._has_ended = True
        self._chunks.put(end)

    def _next(self) -> bytes | BaseException | None:
        """
        The next chunk; at the end what was raised, or None.
        """
        until = time.monotonic() + self._silence
        while (left := until - time.monotonic()) > 0:
            signals.raise_if_interrupted()
            try:
                # Not everywhere does a signal end a longer wait (hazard S1).
                return self._chunks.get(timeout=min(left, _GLANCE_SECONDS))
            except queue.Empty:
                continue
        raise TimeoutError
