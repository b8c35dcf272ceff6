"""
Network connections that a worker thread can stop waiting for.

Python raises a signal in the main thread alone.  A worker thread that reads through
these connections looks for signals itself while it waits, and gives up at a deadline,
so that no other thread is needed to watch it.  The only module that imports httpcore.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, TypeVar

import httpcore

from krea_cli.runtime import signals
from krea_cli.runtime.clock import run_with_timeout

T = TypeVar("T")
# httpcore asks for 64 KiB at a time. Larger pieces make large files cheaper.
READ_BYTES = 2**18
_GLANCE_SECONDS = 0.1
_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


class ReadDeadline:
    """
    Stop reading in this thread after *seconds*, however often bytes arrive. A context
    manager, entered for every chunk of every result.
    """

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        until = time.monotonic() + self._seconds
        self._token = _deadline.set(min(until, _deadline.get()))

    def __exit__(self, *_: object) -> None:
        _deadline.reset(self._token)


def run_until(seconds: float, work: Callable[[], T]) -> T:
    """
    Return the result of work that reads from connections of `InterruptibleBackend`.

    In a worker thread the connections themselves notice signals and the deadline.  In
    the main thread, or while signals are deferred, another thread does the work.

    Raises:
        TimeoutError: the time is up; httpx raises its own timeouts beside it.
        Interrupted: a signal arrived.
    """
    if not _notices_signals():
        return run_with_timeout(seconds, work)
    with ReadDeadline(seconds):
        return work()


class InterruptibleBackend(httpcore.NetworkBackend):
    """
    Open TCP connections as httpcore does, but end the waiting with a signal.
    """

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """
        Connect to *host*, whose name may take long to resolve.
        """
        return InterruptibleStream(
            _connected(
                timeout,
                lambda: self._backend.connect_tcp(
                    host, port, timeout, local_address, socket_options
                ),
            )
        )


class InterruptibleStream(httpcore.NetworkStream):
    """
    One connection, the same as *stream* but for how it waits.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """
        Read what has arrived, which may be more than *max_bytes*.
        """
        size = max(max_bytes, READ_BYTES)
        now = time.monotonic()
        until = min(now + (math.inf if timeout is None else timeout), _deadline.get())
        glances = _notices_signals()
        while (left := until - now) > 0:
            seconds = min(left, _GLANCE_SECONDS) if glances else left
            try:
                return self._stream.read(size, None if seconds == math.inf else seconds)
            except httpcore.ReadTimeout:
                signals.raise_if_interrupted()
                now = time.monotonic()
        raise httpcore.ReadTimeout

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """
        Write all of the buffer.
        """
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        """
        Close the connection.
        """
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """
        Return the same connection with TLS.
        """
        return InterruptibleStream(
            _connected(
                timeout,
                lambda: self._stream.start_tls(ssl_context, server_hostname, timeout),
            )
        )

    def get_extra_info(self, info: str) -> Any:
        """
        Return the address of the peer, the socket and the like.
        """
        return self._stream.get_extra_info(info)


def _notices_signals() -> bool:
    return signals.interrupts_enabled() and not signals.is_held()


def _connected(
    timeout: float | None, connect: Callable[[], httpcore.NetworkStream]
) -> httpcore.NetworkStream:
    if not _notices_signals():
        return connect()
    seconds = min(timeout or math.inf, _deadline.get() - time.monotonic())
    try:
        return run_with_timeout(seconds, connect)
    except TimeoutError as exc:
        raise httpcore.ConnectTimeout from exc
