"""
Read the body of a response chunk by chunk.
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

# Keeps both threads busy without using much memory.
MAX_PREFETCH_BYTES = 4 * 2**20
_SIGNAL_CHECK_SECONDS = 0.1
_JOIN_SECONDS = 0.5


@contextmanager
def open_body(response: httpx.Response, *, silence: float) -> Iterator[Iterator[bytes]]:
    """
    Yield the chunks of the body as they arrive.  If the body is read to its end, the
    connection is kept for the next request, otherwise it is closed.

    A worker thread reads the body itself.  For the main thread, another thread reads
    it, so that Ctrl-C cannot corrupt the state of the connection.

    Raises:
        httpx.HTTPError: while the chunks are read: the connection broke, or no chunk
            arrived for `silence` seconds.
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
        # The header of a chunk could arrive endlessly, byte by byte.
        with ReadDeadline(silence):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def _shut_down(response: httpx.Response) -> None:
    """
    Shut down the socket, to end a read in another thread.
    """
    socket = response.extensions["network_stream"].get_extra_info("socket")
    with suppress(OSError):
        socket.shutdown(SHUT_RDWR)


class ReaderThread:
    """
    Read `source` in a thread of its own, up to MAX_PREFETCH_BYTES ahead.  Iterate over
    it to get the chunks.

    The first `next` starts the thread.  `next` also raises the errors of `source`.
    """

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        # A signal cannot leave a SimpleQueue in an inconsistent state.
        self._chunks = queue.SimpleQueue[bytes | BaseException | None]()
        self._consumed = queue.SimpleQueue[int]()
        self._has_ended = self._is_stopped = False
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[bytes]:
        thread = threading.Thread(target=self._read, daemon=True)
        thread.start()
        # If a signal interrupts `start`, the thread must not be joined.
        self._thread = thread
        while isinstance(chunk := self._next(), bytes):
            self._consumed.put(len(chunk))
            yield chunk
        if chunk is not None:
            raise chunk

    @property
    def is_reading(self) -> bool:
        return self._thread is not None and not self._has_ended

    def stop(self) -> None:
        """
        Make the thread end after the chunk that it is reading.
        """
        self._is_stopped = True
        self._consumed.put(MAX_PREFETCH_BYTES)

    def join(self, seconds: float) -> None:
        """
        Wait up to `seconds` for the thread to end.
        """
        if self._thread is not None:
            self._thread.join(seconds)

    def _read(self) -> None:
        end: BaseException | None = None
        unconsumed = 0
        try:
            for chunk in self._source:
                self._chunks.put(chunk)
                unconsumed += len(chunk)
                while unconsumed > MAX_PREFETCH_BYTES and not self._is_stopped:
                    unconsumed -= self._consumed.get()
                if self._is_stopped:
                    break
        except BaseException as exc:  # noqa: BLE001  (raised again by __iter__)
            end = exc
        self._has_ended = True
        self._chunks.put(end)

    def _next(self) -> bytes | BaseException | None:
        while True:
            try:
                # On Windows, Ctrl-C does not interrupt a `get` without a timeout.
                return self._chunks.get(timeout=_SIGNAL_CHECK_SECONDS)
            except queue.Empty:
                continue
