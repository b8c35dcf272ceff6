"""
Open connections on which a worker thread can stop waiting.

Python runs signal handlers in the main thread only.  While a worker thread waits on one
of these connections, it checks for signals itself and gives up at a deadline, so it
needs no second thread to watch it.  The only module that imports httpcore.
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
_SIGNAL_CHECK_SECONDS = 0.1
_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


class ReadDeadline:
    """
    Context manager: stop reading in this thread after `seconds`, even if bytes keep
    arriving. A class, as it is entered for each chunk and `contextmanager` is slower.
    """

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        until = time.monotonic() + self._seconds
        self._token = _deadline.set(min(until, _deadline.get()))

    def __exit__(self, *_: object) -> None:
        _deadline.reset(self._token)


def run_interruptibly(seconds: float, work: Callable[[], T]) -> T:
    """
    Run `work`, which reads from connections of `InterruptibleBackend`, and return its
    result.

    In a worker thread the connections notice signals and the deadline.  In the main
    thread, or while signals are deferred, another thread runs `work`.

    Raises:
        TimeoutError: the time is up. httpx may raise one of its own timeouts instead.
        Interrupted: a signal arrived.
    """
    if not _notices_signals():
        return run_with_timeout(seconds, work)
    with ReadDeadline(seconds):
        return work()


class InterruptibleBackend(httpcore.NetworkBackend):
    """
    Open TCP connections like httpcore's own backend, but stop waiting on a signal.
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
        Connect to `host`. A signal also ends a slow name lookup.
        """
        return InterruptibleStream(
            _connect(
                timeout,
                lambda: self._backend.connect_tcp(
                    host, port, timeout, local_address, socket_options
                ),
            )
        )


class InterruptibleStream(httpcore.NetworkStream):
    """
    Wrap a connection so that a signal or a `ReadDeadline` ends a read.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """
        Read the bytes that have arrived, possibly more than `max_bytes`.
        """
        size = max(max_bytes, READ_BYTES)
        now = time.monotonic()
        until = min(now + (math.inf if timeout is None else timeout), _deadline.get())
        checks_signals = _notices_signals()
        while (left := until - now) > 0:
            seconds = min(left, _SIGNAL_CHECK_SECONDS) if checks_signals else left
            try:
                return self._stream.read(size, None if seconds == math.inf else seconds)
            except httpcore.ReadTimeout:
                signals.raise_if_interrupted()
                now = time.monotonic()
        raise httpcore.ReadTimeout

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """
        Write the whole buffer.
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
        Start TLS on the connection.
        """
        return InterruptibleStream(
            _connect(
                timeout,
                lambda: self._stream.start_tls(ssl_context, server_hostname, timeout),
            )
        )

    def get_extra_info(self, info: str) -> Any:
        """
        Return a detail of the connection, such as "server_addr" or "socket".
        """
        return self._stream.get_extra_info(info)


def _notices_signals() -> bool:
    return signals.interrupts_enabled() and not signals.is_held()


def _connect(
    timeout: float | None, connect: Callable[[], httpcore.NetworkStream]
) -> httpcore.NetworkStream:
    if not _notices_signals():
        return connect()
    seconds = min(timeout or math.inf, _deadline.get() - time.monotonic())
    try:
        return run_with_timeout(seconds, connect)
    except TimeoutError as exc:
        raise httpcore.ConnectTimeout from exc
