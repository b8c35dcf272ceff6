"""
Wait until jobs have finished.

Meanwhile others may still be submitted, and the first results be saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from krea_cli.jobs.polling import JobUpdate, Poller
from krea_cli.operations.fetch_jobs import with_wait_command

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.errors import KreaError
    from krea_cli.jobs.job_service import JobService
    from krea_cli.jobs.poll_timing import PollTiming
    from krea_cli.jobs.run_tracker import RunTracker
    from krea_cli.operations.batch_submit import BatchSubmission
    from krea_cli.output.console import Console
    from krea_cli.output.progress import Progress, StatusCounts
    from krea_cli.runtime.clock import Clock
    from krea_cli.runtime.worker_pool import WorkerPool

# Time limit for one poll: a service that does not respond must not block the program.
MAX_POLL_SECONDS = 20.0


class EarlySaver(Protocol):
    """
    Saves results while other jobs are still running.
    """

    pool: WorkerPool

    def offer(self, slots: Sequence[Job | None], progress: Progress) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitContext:
    """
    The collaborators of a wait.
    """

    service: JobService
    timing: PollTiming
    console: Console
    clock: Clock
    tracker: RunTracker


class JobWait:
    """
    The current states of jobs, in the order of their indexes.

    These are `jobs`, or the ones that `submission` produces. Errors that end the
    polling of a job are added to `errors`.
    """

    def __init__(
        self,
        context: WaitContext,
        jobs: Sequence[Job],
        errors: list[KreaError],
        *,
        submission: BatchSubmission | None,
    ) -> None:
        self._service = context.service
        self._timing = context.timing
        self._console = context.console
        self._clock = context.clock
        self._tracker = context.tracker
        self._errors = errors
        self._given = list(jobs)
        self._submission = submission
        self._latest: dict[str, Job] = {}
        self._recorded = set[str]()
        self._given_up = set[str]()

    @property
    def jobs(self) -> list[Job]:
        return [job for job in self.slots if job]

    @property
    def slots(self) -> Sequence[Job | None]:
        """
        Return the jobs, with None for each job that may still come.
        """
        slots = self._submission.slots() if self._submission else self._given
        return [job and self._latest.get(job.job_id, job) for job in slots]

    @property
    def count(self) -> int:
        """
        Return the expected number of jobs.
        """
        return self._submission.count if self._submission else len(self._given)

    @property
    def remaining_count(self) -> int:
        """
        Return how many jobs there are, or may still be: after the submission stopped,
        only those it made.
        """
        # While requests are sent, their sum would be of two different moments.
        if self._submission and self._submission.unsent:
            return self._submission.count
        return len(self.jobs)

    def update(self, job: Job) -> None:
        """
        Store a newer state of a job, and record how it ended.
        """
        self._latest[job.job_id] = job
        self._tracker.submitted(job.job_id)
        if job.status == "completed":
            self._tracker.completed(job.job_id)
        if job.is_final and job.job_id not in self._recorded:
            self._recorded.add(job.job_id)
            self._service.record_outcome(job)

    def keep_only(self, jobs: Sequence[Job]) -> None:
        """
        Drop all other jobs.
        """
        self._given = list(jobs)

    def poll(
        self,
        *,
        deadline: float,
        counts: StatusCounts,
        saver: EarlySaver | None = None,
        is_one_enough: bool = False,
        lacks_result: bool = False,
    ) -> None:
        """
        Poll just-fetched jobs until all have finished or `deadline` has passed.

        Meanwhile they are offered to `saver`, and `counts` is kept up to date. With
        `is_one_enough`, stop when one has finished. With `lacks_result`, poll only
        completed jobs without result URLs. Stop early if a submission is unconfirmed.
        """
        poller = self._poller(deadline, saver, is_one_enough=is_one_enough)
        added = set[str](self._given_up)
        with self._console.progress() as progress:
            progress.counts(counts)
            while True:
                if self._submission:
                    counts.expect(self.remaining_count)
                for job in self.jobs:
                    if job.job_id in added or (lacks_result and not job.lacks_result):
                        continue
                    added.add(job.job_id)
                    self._timing.add(job)
                    poller.add(job)
                    self.update(job)
                    progress.seen(job)
                progress.usually(self._timing.usual_seconds())
                if saver and self.count > 1:
                    saver.offer(self.slots, progress)
                if self._is_over(poller):
                    return
                poller.sleep()
                for update in poller.poll():
                    self._polled(update, progress)

    def _is_over(self, poller: Poller) -> bool:
        if self._submission and not poller.is_timed_out:
            is_waited_for = self._submission.is_open or not poller.is_over
            return self._submission.has_unconfirmed or not is_waited_for
        return poller.is_over

    def _polled(self, update: JobUpdate, progress: Progress) -> None:
        job_id = update.job.job_id
        self.update(update.job)
        if update.error and update.is_given_up:
            self._given_up.add(job_id)
            self._errors.append(with_wait_command(update.error, job_id))
        elif update.error:
            progress.missed(update.job, update.error)
        else:
            progress.seen(update.job)

    def _poller(
        self, deadline: float, saver: EarlySaver | None, *, is_one_enough: bool
    ) -> Poller:
        pools = [each.pool for each in (self._submission, saver) if each]

        def sleep(seconds: float) -> None:
            for pool in pools:
                if pool.is_busy:
                    pool.rest(seconds)
                    return
            self._clock.sleep(seconds)

        def soon() -> float:
            return min(deadline, self._clock.now() + MAX_POLL_SECONDS)

        return Poller(
            lambda job_id: self._service.fetch(job_id, deadline=soon()),
            deadline=deadline,
            clock=self._clock._replace(sleep=sleep),
            seconds_until_next_poll=self._timing.seconds_until_next_poll,
            is_one_enough=is_one_enough,
            fetch_many=lambda ids: self._service.fetch_many(ids, deadline=soon()),
        )
