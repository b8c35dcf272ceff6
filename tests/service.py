"""
The fake Krea used by tests: the sandbox with a token, faults and recorded requests.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass

from krea_cli.sandbox.faults import Fault
from krea_cli.sandbox.http_handler import SandboxHandler
from krea_cli.sandbox.server import Sandbox

TOKEN = "5c1f2b7e-77aa:canary/T0ken+9d8c"


@dataclass
class Seen:
    """
    A request that was received.
    """

    method: str
    path: str
    headers: dict


class Handler(SandboxHandler):
    def handle_route(self, method, path):
        service = self.server.service
        service.seen.append(Seen(method, path, dict(self.headers)))
        for route, faults in service.faults.items():
            if faults and f"{method} {path}".startswith(route):
                fault = faults.pop(0)
                if fault is not None:
                    return fault(self)
                break
        return super().handle_route(method, path)

    def _find_route(self, method, path):
        """
        Require the token for API routes. Files need none.
        """
        name, act = super()._find_route(method, path)
        token = self.server.service.token
        is_file = path.startswith(("/uploads/", "/results/"))
        given = self.headers.get("Authorization")
        if token is None or is_file or given == f"Bearer {token}":
            return name, act
        refusal = {"message": "Unauthorized"}
        return name, lambda: self.send_json(refusal, 401)

    def _send_result(self, name, job_id):
        if self.server.service.picture and name.endswith(".png"):
            return self.send_bytes(self.server.service.picture, "image/png")
        return super()._send_result(name, job_id)


class Service(Sandbox):
    """
    The sandbox with a required token and programmable faults.

    `faults` maps prefixes of "METHOD /path" to the behavior of the next matching
    requests: a function of the handler for each, or None for a normal response. The
    sandbox's own faults are set with `add_faults`. `token` is the only valid one.
    `picture` is the result of every job, for tests that do not need real results.
    """

    handler_class = Handler

    def __init__(self, folder, *, token=None, picture=None, **options):
        super().__init__(folder, **options)
        self.token = token
        self.picture = picture
        self.seen = []
        self.faults = defaultdict(list)

    def start(self):
        super().start()
        self._server.service = self

    def requests(self, route):
        return [
            one for one in self.seen if f"{one.method} {one.path}".startswith(route)
        ]

    @property
    def bills(self):
        """
        Return the number of jobs created. All of them are billed.
        """
        return len(self.store.jobs())


def answer(status, body=None, headers=None, *, content=None, media="application/json"):
    """
    Send this response, without carrying out the request.
    """
    data = content if content is not None else json.dumps(body).encode()

    def fault(handler):
        handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        handler.send_response(status)
        for name, value in {
            "Content-Type": media,
            "Content-Length": str(len(data)),
            "Connection": "close",
            **(headers or {}),
        }.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = True

    return fault


def named(name):
    """
    Apply the sandbox fault with this name.
    """

    def fault(handler):
        def act():
            path = handler.path.partition("?")[0]
            SandboxHandler.handle_route(handler, handler.command, path)

        handler.respond_with_fault(Fault.parse(f"any:{name}"), act)

    fault.__qualname__ = name
    return fault


reset = named("reset")
reset_after = named("reset-after")


def html(status=200):
    return named(f"html={status}")


def job(**fields):
    """
    Respond with the job, with some fields changed.
    """

    def fault(handler):
        job_id = handler.path.rpartition("/")[2].partition("?")[0]
        answer(
            200,
            {
                "job_id": job_id,
                "status": "processing",
                "created_at": "2026-11-22T00:00:00Z",
                "completed_at": None,
                "result": None,
                **fields,
            },
        )(handler)

    return fault


def file(content, **headers):
    """
    Respond with a result of these bytes.
    """
    return answer(200, content=content, media="image/png", headers=headers)


def cut(content, at, *, declared):
    """
    Respond with a result that ends after `at` bytes.

    `declared` says whether the response states its full length, or no length.
    """

    def fault(handler):
        handler.send_response(200)
        if declared:
            handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(content[:at])
        handler.close_connection = True

    return fault
