"""
Limit how many sandbox jobs run at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from krea_cli.sandbox.api_error import ApiError
from krea_cli.sandbox.job import JOB_SECONDS, SandboxJob

RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """
    How long a job runs, how many run at once (None: no limit), and what happens to
    more.

    Jobs above the limit wait in a backlog, or are rejected with 429. Krea may do
    either.
    """

    job_seconds: float = JOB_SECONDS
    parallel: int | None = None
    over_limit: Literal["backlog", "refuse"] = "backlog"


class ConcurrencyLimit:
    """
    Decides when each job starts. A cancelled job still uses its slot.
    """

    def __init__(self, limits: JobLimits) -> None:
        self._limits = limits
        self._ends: list[float] | None = None

    def schedule(
        self, now: float, seconds: float, jobs: Callable[[], Iterable[SandboxJob]]
    ) -> float:
        """
        Return the start time of a job that is submitted at `now` and runs for
        `seconds`.

        `jobs` returns all earlier jobs and is called once.

        Raises:
            ApiError: 429 if the job would have to wait and the limits reject such jobs.
        """
        parallel = self._limits.parallel
        if parallel is None:
            return now
        ends = [job.ends_at for job in jobs()] if self._ends is None else self._ends
        ends = sorted(end for end in ends if end > now)
        start = max(now, ends[-parallel]) if len(ends) >= parallel else now
        if start > now and self._limits.over_limit == "refuse":
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "You have reached the maximum number of concurrent jobs.",
                retry_after=RETRY_AFTER_SECONDS,
            )
        self._ends = [*ends, start + seconds]
        return start
