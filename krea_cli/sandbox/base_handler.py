"""
HTTP connections of the sandbox, without knowledge of its routes.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from krea_cli.runtime.loopback import is_loopback
from krea_cli.sandbox.api_error import ApiError
from krea_cli.sandbox.body import BodyReader
from krea_cli.sandbox.ranges import UnsatisfiableRangeError, parse_range

_CHUNK = 1 << 18
_HOST = re.compile(r"([\w.-]+|\[[\w.:]+\])(?::\d{1,5})?", re.ASCII)
_DRAIN_SECONDS = 2.0
# An unwanted request body is read to its end up to this length, so that the connection
# can be used again.
_DISCARD_BYTES = 1 << 20


class BaseHandler(BaseHTTPRequestHandler):
    """
    Calls `handle_route` for every request, and turns the errors that it raises into
    responses. In `query` the last value of each name counts; `base_url` is this server
    under the name that the client uses.
    """

    protocol_version = "HTTP/1.1"
    # A connection is closed after this many seconds without a byte.
    timeout = 30.0
    # Headers and body are two writes; the second must not wait for an acknowledgement.
    disable_nagle_algorithm = True

    body: BodyReader
    query: dict[str, str]
    base_url: str
    # The status that was sent, "-" if none was.
    sent_status = "-"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def handle_route(self, method: str, path: str) -> None:
        """
        Respond to the request.
        """
        raise NotImplementedError

    def finish_request(self, seconds: float) -> None:
        """
        Take note that the request was handled, `seconds` after it arrived.
        """

    def send_json(
        self,
        data: object,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        content = json.dumps(data).encode()
        self.send_bytes(content, "application/json", status, headers)

    def send_bytes(
        self,
        data: bytes,
        media_type: str,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._send_head(
            status, {"Content-Type": media_type, **(headers or {})}, len(data)
        )
        self.wfile.write(data)

    def send_file(self, path: Path, media_type: str) -> None:
        """
        Send the file, or the range of it that was asked for. The name of the file must
        change with its content: the ETag is made from it.
        """
        with path.open("rb") as file:
            size = path.stat().st_size
            etag = f'"{path.stem[:32]}-{size:x}"'
            headers = {
                "Content-Type": media_type,
                "ETag": etag,
                "Accept-Ranges": "bytes",
            }
            try:
                part = parse_range(
                    self.headers.get("Range"),
                    self.headers.get("If-Range"),
                    size=size,
                    etag=etag,
                )
            except UnsatisfiableRangeError:
                headers["Content-Range"] = f"bytes */{size}"
                self._send_head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers, 0)
                return
            status = HTTPStatus.OK
            if part is not None:
                status = HTTPStatus.PARTIAL_CONTENT
                headers["Content-Range"] = f"bytes {part[0]}-{part[-1]}/{size}"
            part = part if part is not None else range(size)
            self._send_head(status, headers, len(part))
            file.seek(part.start)
            for start in range(0, len(part), _CHUNK):
                self.wfile.write(file.read(min(_CHUNK, len(part) - start)))

    def version_string(self) -> str:
        return "krea-sandbox"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """
        Log nothing: standard error belongs to the program that runs the sandbox.
        """

    def respond(self, act: Callable[[], None]) -> None:
        """
        Call `act` to send the response; if it raises, respond with the error.
        """
        try:
            act()
        except ApiError as exc:
            self.send_json(exc.body, exc.status, exc.headers)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as exc:  # noqa: BLE001  (a bug here must not end the program)
            if self.sent_status != "-":
                # A second response would be read as the rest of the first.
                self.close_connection = True
                return
            error = {"error": f"Internal error: {type(exc).__name__}: {exc}"}
            self.send_json(error, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _serve(self) -> None:
        start, self.sent_status = time.monotonic(), "-"
        self.body = BodyReader(self.rfile, self.headers)
        try:
            self.respond(self._route_request)
            if self.body.unread != 0:
                self._drain()
        except (ConnectionError, TimeoutError):
            # The client went away.
            self.close_connection = True
        self.finish_request(time.monotonic() - start)

    def _route_request(self) -> None:
        path, _, query = self.path.partition("?")
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.base_url = self._base_url()
        self.handle_route(self.command, path)

    def _base_url(self) -> str:
        """
        Raises:
            ApiError: 400, the Host is not a name of this machine. A page in a browser
                must not reach the sandbox by a name of its own (DNS rebinding).
        """
        host = self.headers.get("Host", f"127.0.0.1:{self.connection.getsockname()[1]}")
        match = _HOST.fullmatch(host)
        if match and is_loopback(match[1].strip("[]")):
            return f"http://{host}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "Host is not this machine")

    def _send_head(self, status: int, headers: dict[str, str], length: int) -> None:
        """
        Send status and headers.
        """
        if self.body.unread and self.body.unread <= _DISCARD_BYTES:
            self.body.discard()
        self.sent_status = f"{status:d}"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        if self.body.unread != 0:
            # Unread bytes would be taken for the next request.
            self.send_header("Connection", "close")
        self.end_headers()

    def _drain(self) -> None:
        """
        Let the client read the response before the connection is closed: closing it
        with unread bytes would reset it.
        """
        self.close_connection = True
        deadline = time.monotonic() + _DRAIN_SECONDS
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_DRAIN_SECONDS / 4)
            while self.rfile.read1(_CHUNK) and time.monotonic() < deadline:
                pass
