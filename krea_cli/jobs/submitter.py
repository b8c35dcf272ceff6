"""
The paid request: recorded, sent once, and its outcome recorded.

What becomes of it is one of three: the service took it (a job), the service refused it
or never got it (no job, nothing billed), or nobody knows.  In the last case it is never
sent again from here (hazard B7).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from krea_cli.api.client import ApiClient
from krea_cli.api.http_types import RequestBody
from krea_cli.api.models import Job
from krea_cli.api.retry import retry
from krea_cli.errors import (
    Action,
    ConnectionFailedError,
    DuplicateJobIdError,
    InvalidResponseError,
    JournalError,
    KreaError,
    RateLimitError,
    ResponseLostError,
    ServerError,
    Step,
    UnconfirmedSubmissionError,
)
from krea_cli.jobs.submit_throttle import SubmitThrottle
from krea_cli.journal.journal import Journal
from krea_cli.journal.record import Record
from krea_cli.runtime import signals
from krea_cli.runtime.clock import Clock

_UNKNOWN = (ResponseLostError, ServerError, InvalidResponseError)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitPayload:
    """
    What is sent: the *path* of the model, the body as its bytes.
    """

    path: str
    body: RequestBody
    webhook: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitter:
    """
    *taken* is told the id of a job as soon as it is known, *doubted* the record of a
    request of which it is not known whether it has one, *delayed* why and how many
    seconds requests are put off.  Several threads may send at once.
    """

    client: ApiClient
    journal: Journal
    clock: Clock
    throttle: SubmitThrottle
    taken: Callable[[str], object]
    doubted: Callable[[Record], object]
    delayed: Callable[[RateLimitError, float], object]

    def send(
        self,
        post: SubmitPayload,
        begin: Callable[[], Record],
        *,
        deadline: float,
        refused: Callable[[str], object],
    ) -> Job:
        """
        Send until the service has taken it or refused it: again when nothing was sent,
        and when the service takes no more for now, as long as *deadline* (on the
        monotonic clock) allows.

        *begin* makes the record of each try; *refused* is told of a record whose
        request was not taken.

        Raises:
            UnknownSubmissionError: there may be a job, and a bill; never sent again.
            JournalError: no record can be kept, so nothing was sent; with a job id:
                the job was taken, and only its id could not be kept.
            KreaError: there is no job.
        """
        while True:
            try:
                with self.throttle.turn():
                    job = retry(
                        lambda: self._send_once(post, begin, refused),
                        clock=self.clock,
                        deadline=deadline,
                        passing=(ConnectionFailedError,),
                    )
            except RateLimitError as exc:
                pause, is_news = self.throttle.refused(exc)
                if pause is None or self.clock.now() + pause > deadline:
                    raise
                if is_news:
                    self.delayed(exc, pause)
            else:
                self.throttle.taken()
                return job

    def _send_once(
        self,
        post: SubmitPayload,
        begin: Callable[[], Record],
        refused: Callable[[str], object],
    ) -> Job:
        # From the record to the id of the job no signal may cut in (hazards B2, S2).
        with signals.defer_signals():
            record = begin()
            submitted = self.clock.now()
            try:
                job = self.client.submit(
                    post.path, post.body, webhook=post.webhook, key=record.record
                )
            except _UNKNOWN as exc:
                self.doubted(record)
                # The intention is on disk; that counts for more than to refine it.
                with suppress(JournalError):
                    self.journal.unconfirmed(record.record)
                raise _unknown(record, submitted, exc) from exc
            except KreaError:
                with suppress(JournalError):
                    refused(record.record)
                raise
            self.taken(job.job_id)
            self._keep(record, job)
            return job

    def _keep(self, record: Record, job: Job) -> None:
        try:
            self.journal.accepted(record.record, job.job_id)
        except DuplicateJobIdError as exc:
            self.doubted(record)
            error = exc.but(record=record.record, taken_id=job.job_id)
            raise error from exc.__cause__
        except JournalError as exc:
            # It is paid for, and its id is known nowhere but here.
            raise JournalError(
                f"{exc.message} Job {job.job_id} was accepted, and goes on.",
                hint=Step(Action.COLLECT_UNRECORDED, (job.job_id,)),
                job_id=job.job_id,
            ) from exc


def _unknown(
    record: Record, submitted: float, exc: KreaError
) -> UnconfirmedSubmissionError:
    return UnconfirmedSubmissionError(
        "It is unknown whether the service took the job, and it may be billed: "
        f"{exc.message}",
        record=record.record,
        submitted=submitted,
    )
