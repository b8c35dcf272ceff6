"""
Fetch and cancel jobs at the service, and add the journal's data about them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from krea_cli.errors import KreaError, UnknownJobError
from krea_cli.jobs.cancel import ask_to_cancel, cancel
from krea_cli.jobs.not_found import explain_missing
from krea_cli.jobs.rate_limiter import RateLimiter
from krea_cli.runtime.clock import Clock, run_with_timeout

if TYPE_CHECKING:
    from krea_cli.api.client import ApiClient
    from krea_cli.api.models import Job
    from krea_cli.jobs.job_records import JobRecords

# Pages of this size are still short responses.
PAGE_ITEMS = 100
# Up to MAX_ONE_BY_ONE jobs are cancelled one after the other.
MAX_ONE_BY_ONE, CANCEL_WORKERS = 5, 16


class JobService:
    """
    Fetch and cancel the jobs of one service. All requests share one rate limit.

    `api` is called before each request. It raises NoTokenError if there is no token.
    """

    def __init__(
        self, api: Callable[[], ApiClient], records: JobRecords, clock: Clock
    ) -> None:
        self._api = api
        self._records = records
        self._clock = clock
        self._limiter = RateLimiter(clock)

    def fetch(self, job_id: str, *, deadline: float | None = None) -> Job:
        """
        Fetch the current state of a job.

        Raises:
            UnknownJobError: neither the service nor the journal knows the job.
            JobNotVisibleYetError, JobDeletedError: only the journal knows it.
            KreaError: the service cannot be reached, or reports an error.
        """
        wait_turn = self._limiter.wait_turn
        return self._call(
            job_id, partial(self._api().job, deadline=deadline, wait_turn=wait_turn)
        )

    def fetch_many(
        self, job_ids: Sequence[str], *, deadline: float | None = None
    ) -> dict[str, Job]:
        """
        Fetch many jobs with a few list requests. Jobs missing from the list, and
        completed jobs without result URLs, are left out: fetch those one by one.

        Raises:
            KreaError: the list cannot be fetched.
        """
        missing, cursor = set(job_ids), None
        found: dict[str, Job] = {}
        for _ in range(2 + len(missing) // PAGE_ITEMS):
            page = self._api().jobs(
                limit=PAGE_ITEMS,
                cursor=cursor,
                deadline=deadline,
                wait_turn=self._limiter.wait_turn,
            )
            for job in page.jobs:
                if job.job_id in missing and not job.lacks_result:
                    found[job.job_id] = self._records.with_journal_data(job)
            cursor = page.cursor
            if not cursor or len(found) == len(missing):
                break
        return found

    def cancel(self, job_id: str) -> Job:
        """
        Cancel a job that has not finished, and return its new state.

        Raises:
            KreaError: as `jobs.cancel.cancel`.
        """
        return self._save_outcome(self._call(job_id, self._cancel))

    def cancel_all(self, job_ids: Sequence[str], *, seconds: float) -> list[str]:
        """
        Cancel jobs within `seconds`; return the ids of the cancelled jobs.
        """
        until = self._clock.now() + seconds
        cancelled = set[str]()
        if len(job_ids) > MAX_ONE_BY_ONE:
            with suppress(KreaError, TimeoutError):
                run_with_timeout(
                    seconds, lambda: self._cancel_together(job_ids, until, cancelled)
                )
            return [job_id for job_id in job_ids if job_id in cancelled]
        for job_id in job_ids:
            with suppress(KreaError, TimeoutError):
                left = max(0.0, until - self._clock.now())
                job = run_with_timeout(left, partial(self._cancel, job_id))
                if self._save_outcome(job).status == "cancelled":
                    cancelled.add(job_id)
        return [job_id for job_id in job_ids if job_id in cancelled]

    def _cancel_together(
        self, job_ids: Sequence[str], until: float, cancelled: set[str]
    ) -> None:
        """
        Cancel many jobs, several at once. Fetch each job right before it is cancelled:
        a finished job is left alone. Then add the ids of jobs that Krea lists as
        cancelled to `cancelled`.
        """
        queue = SimpleQueue[str]()
        for job_id in job_ids:
            queue.put(job_id)
        requested = list[str]()

        def work() -> None:
            api = self._api()
            with suppress(Empty):
                while self._clock.now() < until:
                    job_id = queue.get_nowait()
                    with suppress(KreaError):
                        # There is no time to wait for the rate limit.
                        job = api.job(job_id, deadline=until, wait_turn=lambda: None)
                        ask_to_cancel(job, api, self._clock, wait_turn=lambda: None)
                        requested.append(job_id)

        threads = [Thread(target=work, daemon=True) for _ in range(CANCEL_WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        latest = self.fetch_many(requested, deadline=until)
        for job in latest.values():
            if self._save_outcome(job).status == "cancelled":
                cancelled.add(job.job_id)

    def record_outcome(self, job: Job) -> None:
        """
        Record the final status of a job.
        """
        self._records.record_outcome(job)

    def _cancel(self, job_id: str) -> Job:
        return cancel(
            job_id, self._api(), self._clock, wait_turn=self._limiter.wait_turn
        )

    def _call(self, job_id: str, call: Callable[[str], Job]) -> Job:
        try:
            job = call(job_id)
        except UnknownJobError as exc:
            record = self._records.find_if_readable(job_id)
            job = explain_missing(exc, record, now=self._clock.wall())
        return self._records.with_journal_data(job)

    def _save_outcome(self, job: Job) -> Job:
        job = self._records.with_journal_data(job)
        if job.is_final:
            self._records.record_outcome(job)
        return job
