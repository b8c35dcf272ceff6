"""
Find the route for a request, and the fault that is set for it.
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
    A route. `respond` is called with the groups of the pattern; faults use the name.
    """

    method: str
    pattern: str
    respond: Callable[..., None]
    name: str = ""


class RouterHandler(BaseHandler):
    """
    Responds by one of its routes, or as a fault says.
    """

    server: SandboxServer
    # The fault made for this request.
    fault: Fault | None = None

    @property
    def routes(self) -> tuple[Route, ...]:
        """
        The routes of the service; the first that fits counts.
        """
        raise NotImplementedError

    def handle_route(self, method: str, path: str) -> None:
        if path.startswith(admin_api.PREFIX):
            self._respond_to_admin(method, path)
            return
        name, act = self._find_route(method, path)
        self.fault = self.server.faults.pop(
            name, lambda fault: not fault.changes_job and self._applies(fault, path)
        )
        if self.fault is None:
            act()
        else:
            self.respond_with_fault(self.fault, act)

    def respond_with_fault(self, fault: Fault, act: Callable[[], None]) -> None:
        """
        Respond as the fault says; `act` sends the good response.
        """
        apply_fault(self, fault, act, self.server.sleep)

    def finish_request(self, seconds: float) -> None:
        fault, self.fault = self.fault, None
        path = self.path.partition("?")[0]
        line = f"{self.command} {path} {self.sent_status} {seconds * 1000:.0f} ms"
        self.server.log(f"{line} {fault}" if fault else line)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """
        Return the Date of a response by the clock of the jobs.
        """
        return super().date_time_string(timestamp or self.server.store.now())

    def _find_route(self, method: str, path: str) -> tuple[str, Callable[[], None]]:
        """
        Return the name of the route, and the function that sends the response.
        """
        for route in self.routes:
            match = re.fullmatch(route.pattern, path)
            if match and method == route.method:
                return route.name, partial(route.respond, *match.groups())
        return "", self._send_not_found

    def pop_job_fault(self, name: str, path: str) -> Fault | None:
        """
        Return the fault of that name for the job that is being made, if one is set.
        """
        fault = self.server.faults.pop(
            "submit", lambda fault: fault.name == name and self._applies(fault, path)
        )
        self.fault = self.fault or fault
        return fault

    def _applies(self, fault: Fault, path: str) -> bool:
        """
        Check that the request is about the right prompt, and that the fault can be seen
        in the response: only a completed job has URLs to be without.
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
