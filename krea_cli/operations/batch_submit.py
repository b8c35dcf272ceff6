"""
The same request several times, on its way from several threads; what came of it, in
order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from krea_cli.api.models import Job
from krea_cli.cli.context import CliContext
from krea_cli.errors import (
    DuplicateJobIdError,
    JournalError,
    KreaError,
    UnconfirmedSubmissionError,
    WaitTimeoutError,
)
from krea_cli.operations import resolve_unconfirmed
from krea_cli.runtime.worker_pool import WorkerPool

# The service's answers say how many of them are on their way at once.
MOST_AT_ONCE = 16
# Called before each try of a request; what it raises keeps the request from leaving.
Gate = Callable[[], object]


class BatchSubmission:
    """
    The jobs so far, what ended it early, and when (on the monotonic clock) they are to
    be final.
    """

    def __init__(
        self,
        session: CliContext,
        submit: Callable[[Gate], Job],
        *,
        run: str,
        count: int,
        deadline: float,
    ) -> None:
        self.deadline = deadline
        self.count = count
        self.errors: list[KreaError] = []
        self.crew = WorkerPool(min(MOST_AT_ONCE, count))
        self._session = session
        session.is_for_several = count > 1
        self._submit = submit
        self._run = run
        self._jobs: dict[str, Job] = {}
        self._doubts: list[UnconfirmedSubmissionError] = []
        self._refused = 0
        self._is_stopped = False
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """
        Whether requests are on their way.
        """
        return self.crew.is_busy

    @property
    def is_unconfirmed(self) -> bool:
        """
        Whether it ended with something to `settle`.
        """
        return bool(self._doubts) and not self.is_open

    @property
    def unsent(self) -> int:
        """
        How many jobs are still to come.
        """
        return 0 if self._is_stopped else self.count - len(self._jobs)

    def begin(self) -> None:
        """
        Send the first request, and have the others sent.
        """
        try:
            self._take(
                resolve_unconfirmed.sent(
                    self._session,
                    lambda: self._submit(lambda: None),
                    deadline=self.deadline,
                )
            )
        except KreaError as exc:
            self._fail(exc)
            return
        for _ in range(self.count - 1):
            self.crew.start(self._send)

    def stop(self) -> None:
        """
        Nothing more leaves.
        """
        self._is_stopped = True

    def wait(self) -> None:
        """
        Until all have arrived.
        """
        with self._session.out.progress() as progress:
            progress.doing("submitting")
            self.crew.rest()
        self.settle()

    def settle(self) -> None:
        """
        Look for the requests in doubt: each becomes a job, or an error.
        """
        doubts, self._doubts = self._doubts, []
        for error in doubts:
            try:
                self._take(
                    resolve_unconfirmed.settled(self._session, error, self.deadline)
                )
            except KreaError as exc:
                self._fail(exc)

    def places(self) -> Sequence[Job | None]:
        """
        The jobs, in the order of their records; None for one that may still come.
        """
        is_closed = not (self.is_open or self._doubts)
        order = list[str | None]()
        with suppress(JournalError):
            order = self._session.journal.run_jobs(self._run)
        found = [self._jobs.get(job_id or "") for job_id in order]
        if not is_closed:
            return found
        return [job for job in found if job] + [
            job for job_id, job in self._jobs.items() if job_id not in order
        ]

    def close(self) -> None:
        """
        Nothing is on its way any more: tell the session what there is and is not.
        """
        session = self._session
        with suppress(JournalError):
            session.arrange(
                [each for each in session.journal.run_jobs(self._run) if each]
            )
        apart = (UnconfirmedSubmissionError, _TooLateError)
        # Of an error with a job, the job is counted, and of the job of another request,
        # the request in doubt.
        known = [e for e in self.errors if not (e.job_id or isinstance(e, apart))]
        others = {e.taken_id for e in self.errors if isinstance(e, DuplicateJobIdError)}
        # One that came in the last moment is only pending.
        jobs = self._jobs.keys() | (set(session.pending) - others)
        come = len(jobs) + len(known) + len(session.in_doubt)
        session.unsent = max(0, self.count - max(come, 1))

    def finish(self) -> None:
        """
        Have the errors tell what was not sent.
        """
        unsent, self._session.unsent = self._session.unsent, 0
        refused = "refused or " if self._refused else ""
        for error in self.errors[:1] if unsent else ():
            if isinstance(error, _TooLateError):
                message = (
                    f"The time was up when {self.count - unsent} of {self.count} jobs "
                    "were submitted; the rest was not sent."
                )
            else:
                were = "was" if unsent == 1 else "were"
                message = (
                    f"{error.message} {unsent} more of the requests {were} {refused}"
                    "not sent."
                )
            self.errors[0] = error.but(message=message)

    def _send(self) -> None:
        """
        One request, in a thread of the crew.
        """
        try:
            self._take(self._submit(self._check))
        except _StoppedError:
            return
        except UnconfirmedSubmissionError as exc:
            self._doubts.append(exc)
            self.stop()
        except KreaError as exc:
            self._fail(exc)
        except BaseException:
            self.stop()
            raise

    def _check(self) -> None:
        if self._is_stopped:
            raise _StoppedError
        if self._session.clock.now() >= self.deadline:
            raise _TooLateError(
                "The time was up before all jobs were submitted.",
                hint="Give more with --timeout, or submit them with --no-wait.",
            )

    def _take(self, job: Job) -> None:
        self._jobs[job.job_id] = job

    def _fail(self, exc: KreaError) -> None:
        """
        The first one stands for those that say the same of requests without a job.
        """
        self.stop()
        with self._lock:
            is_same = any(error.code == exc.code for error in self.errors)
            is_apart = exc.job_id or isinstance(exc, UnconfirmedSubmissionError)
            if is_same and not is_apart:
                self._refused += 1
            else:
                self.errors.append(exc)


class _StoppedError(Exception):
    """
    The request is not to leave any more.
    """


class _TooLateError(WaitTimeoutError):
    """
    The time was up.
    """
