"""
Turn a fault into a bad response, independent of the routes.
"""

from __future__ import annotations

import io
import re
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from krea_cli.sandbox.base_handler import BaseHandler
from krea_cli.sandbox.faults import Fault

_HANG_SECONDS, _SLOW_SECONDS, _TRICKLE_SECONDS = 120.0, 1.0, 1.0
_CHUNK = 1 << 16
# Status, media type and body of faults that send a fixed response.
_FIXED_RESPONSES: dict[str, tuple[int, str, bytes]] = {
    "html": (
        HTTPStatus.OK,
        "text/html; charset=utf-8",
        b"<!DOCTYPE html><title>Log in</title><p>Log in to use this network.",
    ),
    "empty": (HTTPStatus.OK, "application/json", b""),
    "junk": (HTTPStatus.OK, "application/json", b'{"job_id": "'),
    "missing": (
        HTTPStatus.NOT_FOUND,
        "application/json",
        b'{"error": "Job not found"}',
    ),
    "expired": (
        HTTPStatus.FORBIDDEN,
        "application/xml",
        b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message>",
    ),
}
_ERROR_BODIES: dict[int, dict[str, str]] = {
    401: {"message": "Unauthorized"},
    402: {"error": "You have run out of credits."},
    410: {
        "error": "model_unavailable",
        "reason": "deprecated",
        "message": "This model is no longer available.",
        "sunset_date": "2026-05-13",
        "replacement": "image/bytedance/seedream-5-lite",
    },
    429: {"error": "You have reached the maximum number of concurrent jobs."},
}

Sleep = Callable[[float], None]


def apply_fault(
    handler: BaseHandler, fault: Fault, send: Callable[[], None], sleep: Sleep
) -> None:
    """
    Respond as the fault demands. `send` sends the normal response.
    """
    if writer := _WRITERS.get(fault.name):
        _send_through(handler, send, writer(handler.wfile, fault.value, sleep))
        handler.close_connection |= fault.name == "cut"
    elif fault.name in _REPLACEMENTS or fault.name.isdigit():
        if fault.is_after:
            closes = handler.close_connection
            _send_through(handler, send, _Discard())
            # The client did not receive the normal response, which may have closed the
            # connection.
            handler.close_connection = closes
        handler.body.discard()
        handler.sent_status = "-"
        _REPLACEMENTS.get(fault.name, _send_error)(handler, fault)
    else:
        # The route itself implements this fault.
        send()


def _send_through(
    handler: BaseHandler, send: Callable[[], None], writer: io.BufferedIOBase
) -> None:
    """
    Send the normal response through `writer`.
    """
    real, handler.wfile = handler.wfile, writer
    try:
        handler.respond(send)
    finally:
        handler.wfile = real


def _reset(handler: BaseHandler, fault: Fault) -> None:
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    _close(handler, fault)
    # The socket closes only after all its files are closed.
    handler.rfile.close()
    handler.connection.close()


def _close(handler: BaseHandler, _: Fault) -> None:
    handler.close_connection = True


def _hang(handler: BaseHandler, fault: Fault) -> None:
    seconds = float(fault.value or _HANG_SECONDS)
    deadline = time.monotonic() + seconds
    with suppress(OSError):
        while (left := deadline - time.monotonic()) > 0:
            handler.connection.settimeout(left)
            if not handler.connection.recv(_CHUNK):
                break
    _close(handler, fault)


def _send_error(handler: BaseHandler, fault: Fault) -> None:
    status = int(fault.name)
    body = _ERROR_BODIES.get(status) or {"error": _phrase(status)}
    headers = {"Retry-After": fault.value} if fault.value else {}
    handler.send_json(body, status, headers)


def _phrase(status: int) -> str:
    with suppress(ValueError):
        return HTTPStatus(status).phrase
    return f"Status {status}"


def _send_fixed(handler: BaseHandler, fault: Fault) -> None:
    status, media_type, body = _FIXED_RESPONSES[fault.name]
    handler.send_bytes(body, media_type, int(fault.value or status))


_REPLACEMENTS: dict[str, Callable[[BaseHandler, Fault], None]] = {
    "reset": _reset,
    "close": _close,
    "hang": _hang,
    **dict.fromkeys(_FIXED_RESPONSES, _send_fixed),
}


class _Discard(io.BufferedIOBase):
    """
    Discards a response.
    """

    def write(self, data: Any, /) -> int:
        return len(data)


class _Writer(io.BufferedIOBase):
    """
    Forwards a response: first its headers in one piece, then the body.
    """

    def __init__(self, real: io.BufferedIOBase, value: str, sleep: Sleep) -> None:
        self._real = real
        self._value = value
        self._sleep = sleep
        self._has_begun = False

    def write(self, data: Any, /) -> int:
        if self._has_begun:
            self._body(data)
        else:
            self._has_begun = True
            self._head(data)
        return len(data)

    def _head(self, data: bytes) -> None:
        self._real.write(data)

    def _body(self, data: bytes) -> None:
        self._real.write(data)


class _DelayedWriter(_Writer):
    def _head(self, data: bytes) -> None:
        self._sleep(float(self._value or _SLOW_SECONDS))
        super()._head(data)


class _TrickleWriter(_Writer):
    def _body(self, data: bytes) -> None:
        for byte in data:
            self._sleep(_TRICKLE_SECONDS)
            self._real.write(bytes([byte]))


class _CuttingWriter(_Writer):
    """
    Sends only the first `value` bytes of the body (default: half), and never the whole
    body.
    """

    def _head(self, data: bytes) -> None:
        found = re.search(rb"(?i)\ncontent-length: (\d+)", data)
        length = int(found[1]) if found else 0
        self._left = min(int(self._value or length // 2), length - 1)
        super()._head(data)

    def _body(self, data: bytes) -> None:
        part = data[: max(0, self._left)]
        self._left -= len(part)
        self._real.write(part)


_WRITERS: dict[str, type[_Writer]] = {
    "slow": _DelayedWriter,
    "trickle": _TrickleWriter,
    "cut": _CuttingWriter,
}
