"""
Submit a request several times: the first one alone, then several at once.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from krea_cli.errors import (
    DuplicateJobIdError,
    JournalError,
    KreaError,
    UnconfirmedSubmissionError,
    WaitTimeoutError,
)
from krea_cli.runtime.worker_pool import WorkerPool

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.jobs.run_tracker import RunTracker
    from krea_cli.journal.journal import Journal
    from krea_cli.operations.resolve_unconfirmed import UnconfirmedResolver
    from krea_cli.output.console import Console
    from krea_cli.requests.request import Request
    from krea_cli.runtime.clock import Clock

# Krea's rate limits decide how many requests are actually sent at once.
MAX_AT_ONCE = 16
# Called before each try of a request. An exception from it prevents sending.
Gate = Callable[[], object]


class Submits(Protocol):
    """
    A submitter of requests, like `jobs.submission.RequestSubmitter`.
    """

    def submit(
        self,
        request: Request,
        run: str,
        *,
        deadline: float,
        before_attempt: Gate = ...,
    ) -> Job: ...


@contextmanager
def submit_batch(
    request: Request,
    count: int,
    submitter: Submits,
    *,
    deadline: float,
    journal: Journal,
    resolver: UnconfirmedResolver,
    tracker: RunTracker,
    console: Console,
    clock: Clock,
    is_remembered: bool = False,
) -> Iterator[BatchSubmission]:
    """
    Submit the request `count` times, as a context manager.

    The first request is submitted alone, because an error with it would affect all. The
    others follow, as many at once as Krea accepts. The first error stops the batch,
    because the next request would fail as well. Jobs submitted until then are kept.
    When the context ends, each request has become a job or an error.

    `deadline` is when the jobs must have finished, on the monotonic clock.
    `is_remembered` says that the journal records how the results are saved.
    """
    run = str(uuid.uuid4())

    def submit(gate: Gate) -> Job:
        return submitter.submit(request, run, deadline=deadline, before_attempt=gate)

    tracker.expect(count)
    tracker.set_run(run, is_remembered=is_remembered)
    batch = BatchSubmission(
        submit,
        run=run,
        count=count,
        deadline=deadline,
        journal=journal,
        resolver=resolver,
        tracker=tracker,
        console=console,
        clock=clock,
    )
    try:
        with batch.pool:
            try:
                batch.begin()
                yield batch
            except BaseException:
                batch.stop()
                raise
    finally:
        batch.close()
    batch.explain_not_submitted()


class BatchSubmission:
    """
    The jobs of a batch so far, and the `errors` that ended it early.
    """

    def __init__(
        self,
        submit: Callable[[Gate], Job],
        *,
        run: str,
        count: int,
        deadline: float,
        journal: Journal,
        resolver: UnconfirmedResolver,
        tracker: RunTracker,
        console: Console,
        clock: Clock,
    ) -> None:
        self.deadline = deadline
        self.count = count
        self.errors: list[KreaError] = []
        self.pool = WorkerPool(min(MAX_AT_ONCE, count))
        self._submit = submit
        self._run = run
        self._journal = journal
        self._resolver = resolver
        self._tracker = tracker
        self._console = console
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._unconfirmed: list[UnconfirmedSubmissionError] = []
        self._rejected = 0
        self._is_stopped = False
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """
        Return whether requests are being sent.
        """
        return self.pool.is_busy

    @property
    def has_unconfirmed(self) -> bool:
        """
        Return whether the batch has ended with unconfirmed submissions, for `resolve`.
        """
        return bool(self._unconfirmed) and not self.is_open

    @property
    def unsent(self) -> int:
        """
        Return how many jobs are still expected.
        """
        return 0 if self._is_stopped else self.count - len(self._jobs)

    def begin(self) -> None:
        """
        Submit the first request, and start submitting the others.
        """
        try:
            self._add(
                self._resolver.submit(
                    lambda: self._submit(lambda: None), deadline=self.deadline
                )
            )
        except KreaError as exc:
            self._fail(exc)
            return
        for _ in range(self.count - 1):
            self.pool.start(self._submit_next)

    def stop(self) -> None:
        """
        Stop submitting requests.
        """
        self._is_stopped = True

    def wait(self) -> None:
        """
        Wait until every request has become a job or an error.
        """
        with self._console.progress() as progress:
            progress.doing("Submitting")
            self.pool.rest()
        self.resolve()

    def resolve(self) -> None:
        """
        Search for the jobs of unconfirmed submissions. Each becomes a job or an error.
        """
        unconfirmed, self._unconfirmed = self._unconfirmed, []
        for error in unconfirmed:
            try:
                self._add(self._resolver.resolve(error, self.deadline))
            except KreaError as exc:
                self._fail(exc)

    def slots(self) -> Sequence[Job | None]:
        """
        Return the jobs in the order of their records, with None for jobs that may still
        come.
        """
        is_closed = not (self.is_open or self._unconfirmed)
        order = list[str | None]()
        with suppress(JournalError):
            order = self._journal.run_jobs(self._run)
        found = [self._jobs.get(job_id or "") for job_id in order]
        if not is_closed:
            return found
        return [job for job in found if job] + [
            job for job_id, job in self._jobs.items() if job_id not in order
        ]

    def close(self) -> None:
        """
        Report the order of jobs and the number of requests not submitted to the
        tracker.

        Call this when no request is being sent any more.
        """
        with suppress(JournalError):
            order = self._journal.run_jobs(self._run)
            self._tracker.set_order(each for each in order if each)
        summary = self._tracker.summary()
        apart = (UnconfirmedSubmissionError, _TooLateError)
        # Errors with a job are counted with their jobs, and unconfirmed submissions
        # with their records, whatever job id Krea named for them.
        known = [e for e in self.errors if not (e.job_id or isinstance(e, apart))]
        others = {e.taken_id for e in self.errors if isinstance(e, DuplicateJobIdError)}
        # A job that arrived at the last moment is only in `pending`.
        jobs = self._jobs.keys() | (set(summary.pending) - others)
        outcomes = len(jobs) + len(known) + len(summary.unconfirmed)
        self._tracker.not_submitted(max(0, self.count - max(outcomes, 1)))

    def explain_not_submitted(self) -> None:
        """
        Add to the first error how many requests were not submitted.
        """
        count = self._tracker.summary().not_submitted
        self._tracker.not_submitted(0)
        rejected = "rejected or " if self._rejected else ""
        for error in self.errors[:1] if count else ():
            if isinstance(error, _TooLateError):
                message = (
                    f"Timed out after submitting {self.count - count} of {self.count} "
                    "jobs. The others were not submitted."
                )
            else:
                were = "request was" if count == 1 else "requests were"
                message = (
                    f"{error.message} {count} more {were} {rejected}not submitted."
                )
            self.errors[0] = error.but(message=message)

    def _submit_next(self) -> None:
        """
        Submit one request in a pool thread.
        """
        try:
            self._add(self._submit(self._check))
        except _StoppedError:
            return
        except UnconfirmedSubmissionError as exc:
            self._unconfirmed.append(exc)
            self.stop()
        except KreaError as exc:
            self._fail(exc)
        except BaseException:
            self.stop()
            raise

    def _check(self) -> None:
        if self._is_stopped:
            raise _StoppedError
        if self._clock.now() >= self.deadline:
            raise _TooLateError(
                "Timed out before all jobs were submitted.",
                hint="Raise --timeout, or submit without waiting (--no-wait).",
            )

    def _add(self, job: Job) -> None:
        self._jobs[job.job_id] = job

    def _fail(self, exc: KreaError) -> None:
        """
        Stop submitting, and keep the error.

        Of several errors with the same code and no job, only the first is kept.
        """
        self.stop()
        with self._lock:
            is_same = any(error.code == exc.code for error in self.errors)
            is_apart = exc.job_id or isinstance(exc, UnconfirmedSubmissionError)
            if is_same and not is_apart:
                self._rejected += 1
            else:
                self.errors.append(exc)


class _StoppedError(Exception):
    """
    The request must not be submitted any more.
    """


class _TooLateError(WaitTimeoutError):
    """
    The deadline passed before the request was submitted.
    """
