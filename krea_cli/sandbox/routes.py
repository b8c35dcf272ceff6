"""
Dispatch requests to routes, and apply pending faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from krea_cli.sandbox import admin_api
from krea_cli.sandbox.api_error import ApiError
from krea_cli.sandbox.base_handler import BaseHandler
from krea_cli.sandbox.fault_injection import apply_fault
from krea_cli.sandbox.faults import Fault

if TYPE_CHECKING:
    from krea_cli.sandbox.server import SandboxServer

_JOB_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_NOT_FOUND = b"<!DOCTYPE html><title>404</title><h1>Page not found</h1>"


class Route(NamedTuple):
    """
    A route. `respond` is called with the groups of the pattern. Faults refer to `name`.
    """

    method: str
    pattern: str
    respond: Callable[..., None]
    name: str = ""


class RouterHandler(BaseHandler):
    """
    Responds with the first matching route, or with a fault.
    """

    server: SandboxServer
    # Fault injected into this request.
    fault: Fault | None = None

    @property
    def routes(self) -> tuple[Route, ...]:
        """
        Routes of the API. The first match counts.
        """
        raise NotImplementedError

    def handle_route(self, method: str, path: str) -> None:
        if path.startswith(admin_api.PREFIX):
            self._respond_to_admin(method, path)
            return
        name, send = self._find_route(method, path)
        self.fault = self.server.faults.pop(
            name, lambda fault: not fault.changes_job and self._applies(fault, path)
        )
        if self.fault is None:
            send()
        else:
            self.respond_with_fault(self.fault, send)

    def respond_with_fault(self, fault: Fault, send: Callable[[], None]) -> None:
        """
        Respond as the fault demands. `send` sends the normal response.
        """
        apply_fault(self, fault, send, self.server.sleep)

    def finish_request(self, seconds: float) -> None:
        fault, self.fault = self.fault, None
        path = self.path.partition("?")[0]
        line = f"{self.command} {path} {self.sent_status} {seconds * 1000:.0f} ms"
        self.server.log(f"{line} {fault}" if fault else line)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """
        Format the Date header with the clock of the jobs.
        """
        return super().date_time_string(timestamp or self.server.store.now())

    def _find_route(self, method: str, path: str) -> tuple[str, Callable[[], None]]:
        """
        Return the name of the matching route, and the function that sends its response.
        """
        for route in self.routes:
            match = re.fullmatch(route.pattern, path)
            if match and method == route.method:
                return route.name, partial(route.respond, *match.groups())
        return "", self._send_not_found

    def pop_job_fault(self, name: str, path: str) -> Fault | None:
        """
        Return the pending fault `name` for the job that is being created, or None.
        """
        fault = self.server.faults.pop(
            "submit", lambda fault: fault.name == name and self._applies(fault, path)
        )
        self.fault = self.fault or fault
        return fault

    def _applies(self, fault: Fault, path: str) -> bool:
        """
        Return whether the fault applies to this request.

        The prompt must match. The fault must also be visible in the response: only
        completed jobs have result URLs to leave out.
        """
        if fault.text and fault.text.casefold() not in self._prompt(path).casefold():
            return False
        if fault.name != "no-urls":
            return True
        store = self.server.store
        job = store.job(path.rpartition("/")[2])
        return job is not None and job.status(store.now()) == "completed"

    def _prompt(self, path: str) -> str:
        """
        Return the prompt of the job that the request is about, or "".
        """
        fields: Mapping[str, Any] = {}
        if self.command == "POST":
            with suppress(ApiError):
                fields = self.body.read_json()
        elif found := _JOB_ID.search(path):
            job = self.server.store.job(found[0])
            fields = job.fields if job else {}
        return str(fields.get("prompt") or "")

    def _respond_to_admin(self, method: str, path: str) -> None:
        faults, store = self.server.faults, self.server.store
        self.send_json(
            admin_api.handle_admin_request(
                method, path, self.body, faults=faults, store=store
            )
        )

    def _send_not_found(self) -> None:
        self.send_bytes(_NOT_FOUND, "text/html; charset=utf-8", HTTPStatus.NOT_FOUND)
