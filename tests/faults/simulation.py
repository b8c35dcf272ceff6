"""
Simulate a service, a clock and a computer with programmable faults, for thousands of
runs of krea in one process.

A killed run keeps only its commits to the journal and the requests that it has sent. It
can be killed before and after each of these.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field

from conftest import png

from krea_cli.api.http_types import Response, StreamedResponse
from krea_cli.errors import ConnectionFailedError, ResponseLostError
from krea_cli.journal.database import Database
from krea_cli.sandbox.job import iso

URL = "http://127.0.0.1:1"
PICTURE = png()
# The possible outcomes of a paid request: True if the service accepts it, and how it
# responds.
FATES = {
    "taken": (True, "job"),
    "lost": (False, "lost"),
    "lost after": (True, "lost"),
    "fault": (False, "503"),
    "fault after": (True, "503"),
    "page": (False, "page"),
    "page after": (True, "page"),
    "unreachable": (False, "unreachable"),
    "busy": (False, "429"),
    "refused": (False, "422"),
    "no balance": (False, "402"),
    "no token": (False, "401"),
}
# The possible faults of a poll.
TROUBLES = ("lost", "503", "page", "unreachable", "429", "old")


class Killed(BaseException):
    """
    The run was killed, as by `kill -9`.
    """


class Computer:
    """
    The running processes. Replaces the module `os` and `started` for records.
    """

    name = "posix"

    def __init__(self):
        self.running = []
        self._last = 1000

    def start(self, **options):
        self._last += 1
        self.running.append(Run(self._last, **options))
        return self.running[-1]

    def getpid(self):
        return self.running[-1].pid

    def kill(self, pid, _):
        if pid not in [run.pid for run in self.running]:
            raise ProcessLookupError

    def started(self, _):
        # Process ids are never reused.
        return "0"


class Run:
    """
    One run of krea, counted in steps. It is killed at step `dies_at`, and `meanwhile`
    is called at step `pauses_at`.
    """

    def __init__(self, pid, *, dies_at=None, pauses_at=None, meanwhile=None):
        self.pid = pid
        self.is_dead = False
        self._dies_at = dies_at
        self._pauses_at = pauses_at
        self._meanwhile = meanwhile
        self._steps = 0

    def step(self):
        self.check_alive()
        at, self._steps = self._steps, self._steps + 1
        if at == self._dies_at:
            self.is_dead = True
            raise Killed
        if at == self._pauses_at:
            self._meanwhile()

    def check_alive(self):
        if self.is_dead:
            raise Killed


class MortalDatabase(Database):
    """
    The journal of one run, which a killed run can no longer read or write.
    """

    def __init__(self, folder, run, *, now):
        super().__init__(folder, now=now)
        self._run = run

    @contextmanager
    def writing(self):
        self._run.step()
        with super().writing() as db:
            yield db
        self._run.step()

    def rows(self, query, *values):
        self._run.check_alive()
        return super().rows(query, *values)


@dataclass
class Job:
    """
    A job of the service, with times of the service's clock. Jobs of other programs have
    no `prompt`.
    """

    prompt: str | None
    created_at: float
    shown_at: float
    final_at: float
    ends: str = "completed"
    job_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    cancelled_at: float | None = None
    urls: int = 1

    def status(self, now):
        if self.cancelled_at is not None:
            return "cancelled"
        return self.ends if now >= self.final_at else "processing"

    def answer(self, now):
        status = self.status(now)
        url = f"{URL}/results/{self.job_id}?{self.urls}"
        return {
            "job_id": self.job_id,
            "status": status,
            "created_at": iso(self.created_at),
            "completed_at": None if status == "processing" else iso(self.final_at),
            "result": {"urls": [url]} if status == "completed" else None,
        }


class Service:
    """
    A simulated service. Its clock is `skew` seconds ahead. New jobs appear after `lag`
    seconds and end after `seconds` with the status `ends`. `fates` has the outcomes of
    the next paid requests, and `troubles` the faults of the next polls.
    """

    def __init__(self, wall):
        self._wall = wall
        self.jobs = []
        self.sent = []
        self.skew = self.lag = 0.0
        self.ends, self.seconds = "completed", 5.0
        self.fates, self.troubles = [], []

    def now(self):
        return self._wall() + self.skew

    def take(self, prompt):
        now = self.now()
        # Pages of the list are split by creation time, so it must be unique.
        created_at = max([now, *(job.created_at + 1e-5 for job in self.jobs)])
        self.jobs.append(
            Job(prompt, created_at, now + self.lag, now + self.seconds, self.ends)
        )
        return self.jobs[-1]

    def post(self, body, headers):
        self.sent.append((headers["Idempotency-Key"], body))
        is_taken, answer = FATES[self.fates.pop(0) if self.fates else "taken"]
        job = self.take(json.loads(body)["prompt"]) if is_taken else None
        if answer == "job":
            return self._answer(200, job.answer(self.now()))
        return self._go_wrong(answer)

    def get(self, path, params):
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble not in (None, "old"):
            return self._go_wrong(trouble)
        if path == "/jobs":
            return self._answer(200, self._page(params))
        job = self._shown(path)
        if job is None:
            return self._answer(404, {"error": "Job not found"})
        # An old response has the state at the creation of the job.
        now = job.created_at if trouble == "old" else self.now()
        return self._answer(200, job.answer(now))

    def delete(self, path):
        trouble = self.troubles.pop(0) if self.troubles else None
        job = self._shown(path)
        if job and job.status(self.now()) == "processing" and trouble != "503":
            job.cancelled_at = self.now()
        if trouble not in (None, "old"):
            return self._go_wrong(trouble)
        return self._answer(200 if job else 404, {})

    def fetch(self, url):
        """
        Return the picture, or None if the URL has expired.
        """
        path, _, count = url.partition("?")
        job = self._shown(path)
        return PICTURE if job and job.urls == int(count) else None

    def _shown(self, path):
        job_id = path.rpartition("/")[2]
        now = self.now()
        shown = [job for job in self.jobs if job.shown_at <= now]
        return next((job for job in shown if job.job_id == job_id), None)

    def _page(self, params):
        now, before = self.now(), params.get("cursor")
        found = [
            job
            for job in sorted(self.jobs, key=lambda job: -job.created_at)
            if job.shown_at <= now and (not before or iso(job.created_at) < before)
        ]
        page = found[: int(params["limit"])]
        cursor = iso(page[-1].created_at) if len(found) > len(page) else None
        return {"items": [job.answer(now) for job in page], "next_cursor": cursor}

    def _go_wrong(self, how):
        if how == "lost":
            raise ResponseLostError("The connection broke.")
        if how == "unreachable":
            raise ConnectionFailedError("There is no connection.")
        if how == "page":
            return Response(200, {"Content-Type": "text/html"}, b"<html>Log in")
        return self._answer(int(how), {"error": "It went wrong"})

    def _answer(self, status, data):
        from email.utils import formatdate

        headers = {"Date": formatdate(self.now(), usegmt=True)}
        return Response(status, headers, json.dumps(data).encode())


class Wire:
    """
    The connection of one run to the service, with the methods of `HttpTransport`.
    """

    host = "127.0.0.1:1"
    token_source = "KREA_API_KEY"
    trust_env = False
    redact = str

    def __init__(self, service, run):
        self._service = service
        self._run = run

    def post_json(self, path, body, headers):
        self._run.step()
        answer = self._service.post(b"".join(body.chunks()), headers)
        self._run.step()
        return answer

    def get(self, path, params=None, *, seconds=0.0):
        self._run.step()
        return self._service.get(path, params or {})

    def delete(self, path):
        self._run.step()
        answer = self._service.delete(path)
        self._run.step()
        return answer

    @contextmanager
    def stream(self, url, headers):
        self._run.step()
        content = self._service.fetch(url)
        status = 403 if content is None else 200
        chunks = [content or b"<Error>", b""]
        length = {"Content-Length": str(len(b"".join(chunks)))}
        yield StreamedResponse(status, length, self._alive(chunks), "127.0.0.1")

    def _alive(self, chunks):
        for chunk in chunks:
            self._run.step()
            yield chunk

    def close(self):
        pass
