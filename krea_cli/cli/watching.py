"""
Jobs at the service: looked at, and cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING

from krea_cli.cli.bookkeeping import Bookkeeping
from krea_cli.errors import KreaError, UnknownJobError
from krea_cli.runtime.clock import run_with_timeout

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.jobs.rate_limiter import RateLimiter

CANCEL_SECONDS = 3.0
# What the list is asked for at once: an answer of a hundred jobs is no long one.
PAGE = 100


class Watching(Bookkeeping):
    """
    The jobs as the service has them, with what the journal knows of them.
    """

    @cached_property
    def _pace(self) -> RateLimiter:
        from krea_cli.jobs.rate_limiter import RateLimiter

        return RateLimiter(self.clock)

    def look(self, job_id: str, *, deadline: float | None = None) -> Job:
        """
        The job as it is now, with what the journal knows of it.

        Raises:
            UnknownJobError: the service has no such job, and the journal neither.
            NotShownError, JobGoneError: the service has none, as `jobs.missing`.
        """
        look = partial(self.client.job, deadline=deadline, turn=self._pace.turn)
        return self._known(job_id, look)

    def look_at_many(
        self, job_ids: Sequence[str], *, deadline: float | None = None
    ) -> dict[str, Job]:
        """
        Those of the jobs that are found in the service's list with few requests, as
        they are now; those that are said to be completed without a result are not.

        Raises:
            KreaError: the list cannot be asked for.
        """
        wanted, cursor = set(job_ids), None
        found: dict[str, Job] = {}
        for _ in range(2 + len(wanted) // PAGE):
            page = self.client.jobs(
                limit=PAGE, cursor=cursor, deadline=deadline, turn=self._pace.turn
            )
            for job in page.jobs:
                if job.job_id in wanted and not job.lacks_result:
                    found[job.job_id] = self.described(job)
            cursor = page.cursor
            if not cursor or len(found) == len(wanted):
                break
        return found

    def _known(self, job_id: str, ask: Callable[[str], Job]) -> Job:
        try:
            job = ask(job_id)
        except UnknownJobError as exc:
            from krea_cli.jobs.not_found import missing

            job = missing(exc, self._record(job_id), now=self.clock.wall())
        return self.described(job)

    def cancel(self, job_id: str) -> Job:
        """
        The job after it was to be cancelled, as `jobs.cancellation`; how it ended is
        kept.
        """
        return self._ended(self._known(job_id, self._cancel))

    def _cancel(self, job_id: str) -> Job:
        from krea_cli.jobs.cancel import cancel

        return cancel(job_id, self.client, self.clock, turn=self._pace.turn)

    def _ended(self, job: Job) -> Job:
        job = self.described(job)
        if job.is_final:
            self.ended(job)
        return job

    def cancel_pending(self) -> list[str]:
        """
        Cancel the jobs that are not collected yet, in three seconds at most (hazard
        B10); the ids of those that are cancelled now.
        """
        until = self.clock.now() + CANCEL_SECONDS
        cancelled = []
        for job_id in tuple(self.pending):
            with suppress(KreaError, TimeoutError):
                left = max(0.0, until - self.clock.now())
                job = run_with_timeout(left, partial(self._cancel, job_id))
                if self._ended(job).status == "cancelled":
                    self.settle(job_id, has_result=False)
                    cancelled.append(job_id)
        return cancelled
