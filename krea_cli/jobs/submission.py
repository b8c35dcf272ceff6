"""
The paid request: recorded, sent once, and its outcome recorded.

What becomes of it is one of three: the service took it (a job), the service refused it
or never got it (no job, nothing billed), or nobody knows.  In the last case it is never
sent again from here (hazard B7).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from krea_cli.api.client import Client, encode
from krea_cli.api.resources import Job
from krea_cli.api.retry import retry
from krea_cli.clock import Clock
from krea_cli.errors import (
    AnswerError,
    Interrupted,
    JournalError,
    KreaError,
    LostAnswerError,
    RefusedError,
    ServerFaultError,
    UnknownSubmissionError,
    UnreachableError,
)
from krea_cli.jobs.inputs import Image
from krea_cli.jobs.journal import Journal
from krea_cli.jobs.request import Request

_UNKNOWN = (LostAnswerError, ServerFaultError, AnswerError)
_URL_REFUSED = ("invalid asset url", "input file rejected")


@dataclass(frozen=True, slots=True)
class Submission:
    """
    *url_of* gives the URL of an image; *fresh_url_of* one that the service cannot
    refuse, for when it refused the first; None where there is none.
    """

    client: Client
    journal: Journal
    clock: Clock
    url_of: Callable[[Image], str]
    fresh_url_of: Callable[[Image], str] | None

    def prepare(self, request: Request) -> None:
        """
        Do all that is free before anything is paid for: the journal can be written to,
        every image has its URL.

        Raises:
            UsageError: the request cannot be sent as it is.
            KreaError: the service cannot be used; nothing was paid for.
        """
        self.journal.check()
        encode(request.body(self.url_of))

    def submit(
        self,
        request: Request,
        run: str,
        taken: Callable[[str], object] = lambda _: None,
    ) -> Job:
        """
        The job that the service made of *request*; *run* ties the jobs of one call, and
        *taken* is told the job id as soon as it is known.

        Raises:
            UnknownSubmissionError: there may be a job, and a bill.
            KreaError: there is no job.
        """
        try:
            return self._submit(request, self.url_of, run, taken)
        except RefusedError as exc:
            # A refusal was not accepted, so this is no second order.
            if not (self.fresh_url_of and request.images and _is_url_refused(exc)):
                raise
            return self._submit(request, self.fresh_url_of, run, taken)

    def _submit(
        self,
        request: Request,
        url_of: Callable[[Image], str],
        run: str,
        taken: Callable[[str], object],
    ) -> Job:
        body = encode(request.body(url_of))
        # A signal that was lost in a callback of Python's own must not end in a bill.
        if Interrupted.arrived is not None:
            raise Interrupted(Interrupted.arrived)
        record = self.journal.begin(
            run, request.model.id, request.seed, request.cost_usd
        )
        try:
            job = self._send(request, body)
            taken(job.job_id)
        except Interrupted as exc:
            exc.in_doubt = True
            with suppress(JournalError):
                self.journal.unknown(record)
            raise
        except UnknownSubmissionError:
            # The intention is on disk; what happened matters more than to refine it.
            with suppress(JournalError):
                self.journal.unknown(record)
            raise
        except KreaError:
            with suppress(JournalError):
                self.journal.refused(record)
            raise
        try:
            self.journal.accepted(record, job.job_id)
        except JournalError as exc:
            # It is paid for, and its id is known nowhere but here.
            exc.job_id = job.job_id
            exc.message += f" Job {job.job_id} was accepted, and goes on."
            exc.hint = f"Collect it with: krea download {job.job_id}"
            raise
        return replace(
            job, model=request.model.id, seed=request.seed, cost_usd=request.cost_usd
        )

    def _send(self, request: Request, body: bytes) -> Job:
        try:
            return retry(
                lambda: self.client.submit(
                    request.model.path, body, webhook=request.webhook
                ),
                clock=self.clock,
                passing=(UnreachableError,),
            )
        except _UNKNOWN as exc:
            raise UnknownSubmissionError(
                f"It is unknown whether the service took the job, and it may be "
                f"billed: {exc.message}",
                hint="Look at your jobs on krea.ai before you run this again.",
            ) from exc


def _is_url_refused(exc: RefusedError) -> bool:
    return any(words in exc.message.lower() for words in _URL_REFUSED)
