"""
How the body of a streamed answer gets here: fast, and given up when it is not wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR
from typing import TYPE_CHECKING

from krea_cli.api.prefetch import PrefetchReader
from krea_cli.errors import ResponseLostError

if TYPE_CHECKING:
    import httpx

_READ_BYTES = 2**20
_FAREWELL_SECONDS = 0.5


@contextmanager
def receiving(response: httpx.Response, *, silence: float) -> Iterator[Iterator[bytes]]:
    """
    The chunks of the body, read ahead; the connection is closed behind them unless it
    can be used again.

    Raises:
        LostAnswerError, TimeoutError: it broke, or was silent for so many seconds;
            while the chunks are read.
    """
    body = PrefetchReader(_chunks(response, silence), silence=silence)
    try:
        yield iter(body)
    finally:
        if body.is_reading:
            body.stop()
            _interrupt(response)
            body.join(_FAREWELL_SECONDS)
        response.close()


def _chunks(response: httpx.Response, silence: float) -> Iterator[bytes]:
    """
    The body in pieces as they arrive: collected to a size, slow ones would not be seen.

    One of a declared length is read from the connection itself as soon as it has begun:
    on their way through the layers between all bytes are copied three times, which
    makes a fast download three times as slow.
    """
    connection = response.extensions.get("network_stream")
    is_counted = "Transfer-Encoding" not in response.headers
    left = int(response.headers.get("Content-Length", 0)) if is_counted else 0
    # Kept in a name, as the connection is closed with the last one that it has.
    chunks = response.iter_raw()
    for chunk in chunks:
        left -= len(chunk)
        yield chunk
        if connection is not None and left > 0:
            break
    while connection is not None and left > 0:
        try:
            # Who awaits the chunk has given up by then.
            chunk = connection.read(min(left, _READ_BYTES), timeout=2 * silence)
        except Exception as exc:  # of the library below httpx
            raise _broken(response, str(exc) or type(exc).__name__) from exc
        if not chunk:
            raise _broken(response, "it ended before all bytes had come")
        left -= len(chunk)
        yield chunk


def _broken(response: httpx.Response, reason: str) -> ResponseLostError:
    host = response.url.netloc.decode("ascii")
    return ResponseLostError(f"The connection to {host} broke: {reason}.")


def _interrupt(response: httpx.Response) -> None:
    """
    End what is being read from the connection at this moment, in another thread.
    """
    connection = response.extensions.get("network_stream")
    socket = connection.get_extra_info("socket") if connection else None
    if socket is not None:
        with suppress(OSError):
            socket.shutdown(SHUT_RDWR)
