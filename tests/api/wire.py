"""
A server that sends raw bytes, to imitate broken servers.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass


@dataclass
class ReceivedRequest:
    """
    A received request. `connection` is the number of its connection, from 0.
    """

    connection: int
    line: str
    headers: dict
    body: bytes


class Wire:
    """
    Listen on loopback.  Respond to each request with the next of `scripts`, and repeat
    the last.  A script is bytes, after which the connection stays open, or a function
    of the connection, after which it is closed.  `tls` is a server context.
    """

    def __init__(self, *scripts, tls=None):
        self.scripts = list(scripts)
        self.heard = []
        self.connections = 0
        self._tls = tls
        self._open = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, host="127.0.0.1", scheme="http"):
        return f"{scheme}://{host}:{self._socket.getsockname()[1]}"

    def close(self):
        for each in (self._socket, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                number, self.connections = self.connections, self.connections + 1
                threading.Thread(
                    target=self._serve, args=(connection, number), daemon=True
                ).start()

    def _serve(self, connection, number):
        with suppress(OSError, ValueError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection.makefile("rb") as file:
                while heard := _request(file, number):
                    self.heard.append(heard)
                    more = len(self.scripts) > 1
                    script = self.scripts.pop(0) if more else self.scripts[0]
                    if callable(script):
                        script(connection)
                        break
                    connection.sendall(script)
        connection.close()


def _request(file, number):
    line = file.readline().decode().strip()
    headers = {}
    while field := file.readline().decode().strip():
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", 0))
    return ReceivedRequest(number, line, headers, file.read(length)) if line else None


def answer(body=b"{}", status="200 OK", **headers):
    """
    Return a complete response.  Header names have underscores for hyphens.
    """
    given = {"Content-Length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [f"HTTP/1.1 {status}", *(f"{n}: {v}" for n, v in given.items() if v)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def closing(data):
    """
    Send the bytes, and close the connection.
    """
    return lambda connection: connection.sendall(data)


def resetting(data=b""):
    """
    Send the bytes, and reset the connection.
    """

    def script(connection):
        connection.sendall(data)
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    return script


def trickling(head, *, every, byte=b" "):
    """
    Send the head, and then one byte `every` few seconds, endlessly.
    """
    pause = threading.Event()

    def script(connection):
        connection.sendall(head)
        while not pause.wait(every):
            connection.sendall(byte)

    return script
