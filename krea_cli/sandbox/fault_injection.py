"""
How the sandbox does what a fault says.  Knows nothing of the routes.
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
_PAGE = b"<!DOCTYPE html><title>Log in</title><p>Log in to use this network."
_NO_JSON = b'{"job_id": "'
_EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message>"
_SAID: dict[int, dict[str, str]] = {
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
    handler: BaseHandler, fault: Fault, act: Callable[[], None], sleep: Sleep
) -> None:
    """
    Answer the request as the fault has it; *act* is what would answer it well.
    """
    if writer := _WRITERS.get(fault.name):
        _act(handler, act, writer(handler.wfile, fault.value, sleep))
        handler.close_connection |= fault.name == "cut"
    elif fault.name in _INSTEAD or fault.name.isdigit():
        if fault.is_after:
            closes = handler.close_connection
            _act(handler, act, _Nowhere())
            # What that answer said of the connection nobody heard.
            handler.close_connection = closes
        handler.body.discard()
        handler.sent_status = "-"
        _INSTEAD.get(fault.name, _refuse)(handler, fault)
    else:
        # It is the job that is at fault, and its route sees to that.
        act()


def _act(
    handler: BaseHandler, act: Callable[[], None], writer: io.BufferedIOBase
) -> None:
    """
    Act with the answer going to *writer*.
    """
    real, handler.wfile = handler.wfile, writer
    try:
        handler.respond(act)
    finally:
        handler.wfile = real


def _reset(handler: BaseHandler, fault: Fault) -> None:
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    _close(handler, fault)
    # It is closed in truth only when nobody has a file of it.
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


def _refuse(handler: BaseHandler, fault: Fault) -> None:
    status = int(fault.name)
    said = _SAID.get(status) or {"error": _phrase(status)}
    headers = {"Retry-After": fault.value} if fault.value else {}
    handler.send_json(said, status, headers)


def _phrase(status: int) -> str:
    with suppress(ValueError):
        return HTTPStatus(status).phrase
    return f"Status {status}"


def _html(handler: BaseHandler, fault: Fault) -> None:
    status = int(fault.value or HTTPStatus.OK)
    handler.send_bytes(_PAGE, "text/html; charset=utf-8", status)


def _empty(handler: BaseHandler, _: Fault) -> None:
    handler.send_bytes(b"", "application/json")


def _junk(handler: BaseHandler, _: Fault) -> None:
    handler.send_bytes(_NO_JSON, "application/json")


def _missing(handler: BaseHandler, _: Fault) -> None:
    handler.send_json({"error": "Job not found"}, HTTPStatus.NOT_FOUND)


def _expired(handler: BaseHandler, _: Fault) -> None:
    handler.send_bytes(_EXPIRED, "application/xml", HTTPStatus.FORBIDDEN)


_INSTEAD: dict[str, Callable[[BaseHandler, Fault], None]] = {
    "reset": _reset,
    "close": _close,
    "hang": _hang,
    "html": _html,
    "empty": _empty,
    "junk": _junk,
    "missing": _missing,
    "expired": _expired,
}


class _Nowhere(io.BufferedIOBase):
    """
    An answer that does not arrive.
    """

    def write(self, data: Any, /) -> int:
        return len(data)


class _Writer(io.BufferedIOBase):
    """
    An answer on its way: the head comes in one piece, then the body.
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


class _Late(_Writer):
    def _head(self, data: bytes) -> None:
        self._sleep(float(self._value or _SLOW_SECONDS))
        super()._head(data)


class _Trickle(_Writer):
    def _body(self, data: bytes) -> None:
        for byte in data:
            self._sleep(_TRICKLE_SECONDS)
            self._real.write(bytes([byte]))


class _Cut(_Writer):
    """
    At least the last byte is cut off; without a value the second half.
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


_WRITERS: dict[str, type[_Writer]] = {"slow": _Late, "trickle": _Trickle, "cut": _Cut}
