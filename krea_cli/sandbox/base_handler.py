"""
Handle HTTP connections, independent of the routes.
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
# Read and discard an unused request body up to this length, so that the connection can
# be reused.
_DISCARD_BYTES = 1 << 20


class BaseHandler(BaseHTTPRequestHandler):
    """
    Calls `handle_route` for each request, and converts errors to responses.

    `query` has the last value of each parameter. `base_url` is the address of this
    server under the host name that the client used.
    """

    protocol_version = "HTTP/1.1"
    # Close a connection after this many seconds without data.
    timeout = 30.0
    # Headers and body are sent separately. The body must not wait for an
    # acknowledgement.
    disable_nagle_algorithm = True

    body: BodyReader
    query: dict[str, str]
    base_url: str
    # Status of the response, or "-" if none was sent.
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
        Record that the request took `seconds`. Subclasses override this.
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
        Send the file, or the requested range.

        The ETag is derived from the name, so the name must change with the content.
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

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (as the base)
        """
        Log nothing: standard error belongs to the program that runs the sandbox.
        """

    def respond(self, send: Callable[[], None]) -> None:
        """
        Call `send` to send the response. If it raises an error, send that instead.
        """
        try:
            send()
        except ApiError as exc:
            self.send_json(exc.body, exc.status, exc.headers)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as exc:  # noqa: BLE001  (a bug here must not end the program)
            if self.sent_status != "-":
                # The client would read a second response as the rest of the first.
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
            # The client disconnected.
            self.close_connection = True
        self.finish_request(time.monotonic() - start)

    def _route_request(self) -> None:
        path, _, query = self.path.partition("?")
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.base_url = self._base_url()
        self.handle_route(self.command, path)

    def _base_url(self) -> str:
        """
        Return the base URL that the client used.

        Raises:
            ApiError: 400 if the Host header is not a name of this machine: web pages
                must not reach the sandbox through a host name of their own (DNS
                rebinding).
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
            # Unread bytes would be parsed as the next request.
            self.send_header("Connection", "close")
        self.end_headers()

    def _drain(self) -> None:
        """
        Read until the client closes its side: closing a socket with unread bytes would
        reset the connection, and the client could lose the response.
        """
        self.close_connection = True
        deadline = time.monotonic() + _DRAIN_SECONDS
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_DRAIN_SECONDS / 4)
            while self.rfile.read1(_CHUNK) and time.monotonic() < deadline:
                pass
