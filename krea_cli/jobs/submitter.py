"""
Submit paid requests: record each, send it once, and record its outcome.

There are three outcomes: accepted (there is a job), rejected or not sent (no job,
nothing billed), or unconfirmed. This module never resends an unconfirmed request.
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
    A request as sent: the `path` of the model, the body, and the URL of a webhook.
    """

    path: str
    body: RequestBody
    webhook: str | None


class Submitter(NamedTuple):
    """
    Submit paid requests. Several threads may submit at once.

    `on_submitted` is called with the job id as soon as it is known, `on_unconfirmed`
    with the record of an unconfirmed request, and `on_delayed` with the error and the
    seconds to wait when the service is busy.
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
        payload: SubmitPayload,
        begin: Callable[[], Record],
        *,
        deadline: float,
        on_rejected: Callable[[str], object],
    ) -> Job:
        """
        Submit a request, and return its job. Retry until `deadline` (by `clock.now`) if
        nothing was sent or the service is busy.

        `begin` creates and saves a record for each attempt. `on_rejected` is called
        with the id of the record if there is certainly no job.

        Raises:
            UnconfirmedSubmissionError: there may be a job, which will be billed.
            JournalError: the record could not be saved, so nothing was sent. With a job
                id: the request was accepted, but the id could not be recorded.
            KreaError: there is no job.
        """
        while True:
            try:
                with self.throttle.turn():
                    job = retry(
                        lambda: self._submit_once(payload, begin, on_rejected),
                        clock=self.clock,
                        deadline=deadline,
                        temporary_errors=(ConnectionFailedError,),
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
        payload: SubmitPayload,
        begin: Callable[[], Record],
        on_rejected: Callable[[str], object],
    ) -> Job:
        # A signal between saving the record and the job id would lose a paid job.
        with signals.defer_signals():
            record = begin()
            submitted = self.clock.now()
            try:
                job = self.client.submit(
                    payload.path,
                    payload.body,
                    webhook=payload.webhook,
                    key=record.record,
                )
            except _UNKNOWN as exc:
                self.on_unconfirmed(record)
                # If this fails, the record still says that the request was sent.
                with suppress(JournalError):
                    self.journal.unconfirmed(record.record)
                raise _unconfirmed(record, submitted, exc) from exc
            except KreaError:
                with suppress(JournalError):
                    on_rejected(record.record)
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
            # The job is paid for, and only this message can tell the user its id.
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
