"""
Submit paid requests: record each, send it once, and record its outcome.

There are three outcomes: the service accepted the request (there is a job), the service
rejected it or never got it (no job, nothing billed), or nobody knows. In the last case
the request is never sent again from here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

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


class SubmitPayload(NamedTuple):
    """
    A request as it is sent: the *path* of the model, and the bytes of the body.
    """

    path: str
    body: RequestBody
    webhook: str | None


class Submitter(NamedTuple):
    """
    Submits paid requests. Several threads may submit at once.

    `on_submitted` is called with the job id as soon as it is known, `on_unconfirmed`
    with the record when the response was lost, and `on_delayed` with the reason and the
    seconds when the service accepts no more requests for now.
    """

    client: ApiClient
    journal: Journal
    clock: Clock
    throttle: SubmitThrottle
    on_submitted: Callable[[str], object]
    on_unconfirmed: Callable[[Record], object]
    on_delayed: Callable[[RateLimitError, float], object]

    def submit(
        self,
        post: SubmitPayload,
        begin: Callable[[], Record],
        *,
        deadline: float,
        refused: Callable[[str], object],
    ) -> Job:
        """
        Submit until the service has accepted or rejected the request: again when
        nothing was sent, and when the service accepts no more for now, as long as
        *deadline* (on the monotonic clock) allows.

        *begin* makes the record of each try; *refused* is called with the record of a
        request that was not accepted.

        Raises:
            UnconfirmedSubmissionError: there may be a job, and a bill. The request is
                never sent again.
            JournalError: no record can be kept, so nothing was sent; with a job id:
                the job was accepted, and only its id could not be recorded.
            KreaError: there is no job.
        """
        while True:
            try:
                with self.throttle.turn():
                    job = retry(
                        lambda: self._submit_once(post, begin, refused),
                        clock=self.clock,
                        deadline=deadline,
                        passing=(ConnectionFailedError,),
                    )
            except RateLimitError as exc:
                pause, is_news = self.throttle.rejected(exc)
                if pause is None or self.clock.now() + pause > deadline:
                    raise
                if is_news:
                    self.on_delayed(exc, pause)
            else:
                self.throttle.accepted()
                return job

    def _submit_once(
        self,
        post: SubmitPayload,
        begin: Callable[[], Record],
        refused: Callable[[str], object],
    ) -> Job:
        # A signal between the record and the job id would lose a paid job.
        with signals.defer_signals():
            record = begin()
            submitted = self.clock.now()
            try:
                job = self.client.submit(
                    post.path, post.body, webhook=post.webhook, key=record.record
                )
            except _UNKNOWN as exc:
                self.on_unconfirmed(record)
                # The record is on disk already, and says that the request was sent.
                with suppress(JournalError):
                    self.journal.unconfirmed(record.record)
                raise _unconfirmed(record, submitted, exc) from exc
            except KreaError:
                with suppress(JournalError):
                    refused(record.record)
                raise
            self.on_submitted(job.job_id)
            self._record_job(record, job)
            return job

    def _record_job(self, record: Record, job: Job) -> None:
        try:
            self.journal.accepted(record.record, job.job_id)
        except DuplicateJobIdError as exc:
            self.on_unconfirmed(record)
            error = exc.but(record=record.record, taken_id=job.job_id)
            raise error from exc.__cause__
        except JournalError as exc:
            # The job is paid for, and its id is known nowhere but here.
            raise JournalError(
                f"{exc.message} Job {job.job_id} was submitted, but its id could not "
                "be recorded.",
                hint=Step(Action.COLLECT_UNRECORDED, (job.job_id,)),
                job_id=job.job_id,
            ) from exc


def _unconfirmed(
    record: Record, submitted: float, exc: KreaError
) -> UnconfirmedSubmissionError:
    return UnconfirmedSubmissionError(
        f"{exc.message} Krea may have accepted this request; if so, you will be "
        "billed.",
        record=record.record,
        submitted=submitted,
    )
