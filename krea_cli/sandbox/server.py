"""
Run the sandbox as a server on this machine.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from http.server import ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, Self

from krea_cli.catalog.catalog import Catalog
from krea_cli.errors import UsageError
from krea_cli.sandbox.concurrency import JobLimits
from krea_cli.sandbox.faults import FaultQueue
from krea_cli.sandbox.http_handler import SandboxHandler
from krea_cli.sandbox.store import SandboxStore

HOST = "127.0.0.1"


class Sandbox:
    """
    An imitation of the Krea API that keeps its jobs, uploads and results in a folder.

    Several processes may share the folder. `faults` are pending from the start; their
    syntax is described in `krea_cli.sandbox.faults`. `log` is called with a line for
    each request. `clock` returns seconds since the epoch and drives the jobs; slow
    responses call `sleep`. Subclasses may override `handler_class`.

    Raises:
        UsageError: a fault does not exist.
        StorageError: the folder cannot be created or used.
    """

    handler_class: type[SandboxHandler] = SandboxHandler

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        faults: Iterable[str] = (),
        log: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        limits: JobLimits | None = None,
    ) -> None:
        self._faults = FaultQueue()
        self.add_faults(*faults)
        self.store = SandboxStore(folder, clock=clock, limits=limits)
        self._port = port
        self._log = log
        self._sleep = sleep
        self._server: SandboxServer | None = None

    def add_faults(self, *faults: str) -> None:
        """
        Add faults, also while the sandbox is running.

        Raises:
            UsageError: a fault is invalid. Then none is added.
        """
        self._faults.add(faults)

    def start(self) -> None:
        """
        Serve from a daemon thread until `stop` is called.

        Raises:
            UsageError: the port is in use.
        """
        try:
            server = SandboxServer(
                (HOST, self._port),
                self.handler_class,
                store=self.store,
                faults=self._faults,
                log=self._log,
                sleep=self._sleep,
            )
        except OSError as exc:
            raise UsageError(
                f"Cannot start the sandbox on port {self._port}: {exc.strerror}.",
                hint="Use another port, or --port 0 for any free one.",
            ) from exc
        self._server = server
        threading.Thread(
            target=server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="krea-sandbox",
            daemon=True,
        ).start()

    def stop(self) -> None:
        """
        Stop listening, and close open connections. Does nothing if already stopped.
        """
        server, self._server = self._server, None
        if server is not None:
            # On Linux this wakes the server thread. Elsewhere it polls every 50 ms.
            with suppress(OSError):
                server.socket.shutdown(socket.SHUT_RDWR)
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        """
        Base URL of the running server, without a trailing slash.
        """
        if self._server is None:
            raise RuntimeError("the sandbox is not running")
        return f"http://{HOST}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class SandboxServer(ThreadingHTTPServer):
    """
    The server, and the state shared by the handlers of all connections.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_port = False
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handler_class: type[SandboxHandler],
        *,
        store: SandboxStore,
        faults: FaultQueue,
        log: Callable[[str], None] | None,
        sleep: Callable[[float], None],
    ) -> None:
        self.store = store
        self.faults = faults
        self.sleep = sleep
        self._log = log
        self._log_lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler_class)

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog.bundled()

    def log(self, line: str) -> None:
        """
        Log a line, unless the server is closed.

        A thread that writes to standard error while Python exits would abort the
        program.
        """
        with self._log_lock:
            if self._log:
                self._log(line)

    def server_bind(self) -> None:
        """
        Bind without the reverse DNS lookup of HTTPServer, which may take seconds.
        """
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        with self._log_lock:
            self._log = None
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        Ignore clients that disconnect.
        """
