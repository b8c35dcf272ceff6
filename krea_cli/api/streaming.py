"""
The body of a response, chunk by chunk.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, cast

from krea_cli.api.connections import ReadDeadline
from krea_cli.runtime import signals

if TYPE_CHECKING:
    import httpx

# Enough to keep both threads busy, and little in memory.
AHEAD_BYTES = 4 * 2**20
_GLANCE_SECONDS = 0.1
_JOIN_SECONDS = 0.5


@contextmanager
def open_body(response: httpx.Response, *, silence: float) -> Iterator[Iterator[bytes]]:
    """
    Yield the chunks of the body as they arrive.  A body read to its end leaves its
    connection to the next request; any other closes it.

    A worker thread reads for itself.  For the main thread another thread reads, so that
    Ctrl-C never cuts into the state of a connection.

    Raises:
        httpx.HTTPError: while the chunks are read: the connection broke, or no byte of
            the body arrived for *silence* seconds.
    """
    chunks = _chunks(response, silence)
    if signals.interrupts_enabled():
        try:
            yield chunks
        finally:
            response.close()
        return
    reader = ReaderThread(chunks)
    try:
        yield iter(reader)
    finally:
        if reader.is_reading:
            reader.stop()
            _shut_down(response)
            reader.join(_JOIN_SECONDS)
        response.close()


def _chunks(response: httpx.Response, silence: float) -> Iterator[bytes]:
    chunks = iter(cast("httpx.SyncByteStream", response.stream))
    while True:
        # The head of a chunk may come for ever, byte by byte.
        with ReadDeadline(silence):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def _shut_down(response: httpx.Response) -> None:
    """
    End the read that another thread waits for at this moment.
    """
    socket = response.extensions["network_stream"].get_extra_info("socket")
    with suppress(OSError):
        socket.shutdown(SHUT_RDWR)


class ReaderThread:
    """
    Read *source* in a thread of its own, a few MiB ahead of whoever takes the chunks.

    The thread starts with the first `next`.  Errors of *source* are raised there, too.
    """

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        # A signal in the main thread cannot leave a SimpleQueue half used.
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
        Let the thread end with its next chunk or error.
        """
        self._is_stopped = True
        self._taken.put(AHEAD_BYTES)

    def join(self, seconds: float) -> None:
        """
        Wait at most *seconds* for the thread to end.
        """
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
        except BaseException as exc:  # noqa: BLE001  (raised again by __iter__)
            end = exc
        self._has_ended = True
        self._chunks.put(end)

    def _next(self) -> bytes | BaseException | None:
        while True:
            try:
                # On Windows, Ctrl-C does not end a longer wait.
                return self._chunks.get(timeout=_GLANCE_SECONDS)
            except queue.Empty:
                continue
