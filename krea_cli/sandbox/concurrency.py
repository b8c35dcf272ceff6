"""
How long a job of the sandbox takes, how many run at once, and what becomes of one more.
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
    *parallel* None is no limit.  A job above it waits in the backlog until others have
    ended, or is refused with 429, as the service is said to do either.
    """

    job_seconds: float = JOB_SECONDS
    parallel: int | None = None
    over_limit: Literal["backlog", "refuse"] = "backlog"


class ConcurrencyLimit:
    """
    Which of the jobs of a *limits* runs when.  What is cancelled keeps its place.
    """

    def __init__(self, limits: JobLimits) -> None:
        self._limits = limits
        self._ends: list[float] | None = None

    def schedule(self, now: float, jobs: Callable[[], Iterable[SandboxJob]]) -> float:
        """
        When a job that comes *now* starts; *jobs* gives those from before, and is asked
        once.

        Raises:
            Refusal: 429, it would have to wait and is not to.
        """
        parallel, seconds = self._limits.parallel, self._limits.job_seconds
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
