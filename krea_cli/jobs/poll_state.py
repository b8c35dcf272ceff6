"""
One job that is looked at again and again.  Knows nothing of HTTP or of the terminal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from krea_cli.api.models import Job
from krea_cli.errors import JobDeletedError, KreaError, ServiceError, UsageError
from krea_cli.runtime.clock import Clock

FIRST_SECONDS, GROWTH, LONGEST_SECONDS = 2.0, 1.15, 5.0
# Looks that fail one after the other for so long are no passing trouble (hazard L2).
TOLERANCE_SECONDS = 300.0
# A job may be completed a moment before its results are told (hazard L10).
LOOKS_FOR_RESULTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdate:
    """
    *job* as it was seen last.  *error* is why it could not be seen this time, and
    *is_given_up* says that it is not looked at again for that.
    """

    job: Job
    error: KreaError | None = None
    is_given_up: bool = False


def delays() -> Iterator[float]:
    """
    Seconds between looks where there is trouble: 2 at first, slowly up to 5.
    """
    delay = FIRST_SECONDS
    while True:
        yield delay
        delay = min(delay * GROWTH, LONGEST_SECONDS)


class PollState:
    """
    *job* was seen just now, *fetch* gives it as it is, *pause* says how many seconds
    later the next look is worth it; the deadline is on the monotonic clock, and so is
    when the next look is *due*.
    """

    def __init__(
        self,
        job: Job,
        fetch: Callable[[str], Job],
        pause: Callable[[str], float],
        deadline: float,
        clock: Clock,
    ) -> None:
        self._job = job
        self._fetch = fetch
        self._pause = pause
        self._deadline = deadline
        self._clock = clock
        self._looks_left = LOOKS_FOR_RESULTS
        self._error: KreaError | None = None
        self._failing_since = self._not_before = clock.now()
        self._is_given_up = self._is_seen = False
        self._delays = delays()
        self._plan()

    @property
    def job_id(self) -> str:
        return self._job.job_id

    @property
    def is_ready(self) -> bool:
        """
        Whether the service has not asked to be left alone.
        """
        return self._clock.now() >= self._not_before

    @property
    def is_seen(self) -> bool:
        """
        Whether there is something that `look` has not told yet.
        """
        return self._is_seen

    @property
    def has_ended(self) -> bool:
        """
        Whether the job is final, and its results are there or will not come.
        """
        return self._job.is_final and not (self._job.lacks_result and self._looks_left)

    @property
    def is_over(self) -> bool:
        return self.has_ended or self._is_given_up

    def look(self) -> JobUpdate:
        """
        A look, unless the job was seen otherwise; or what the last one said while the
        service asked to be left alone.
        """
        if self._is_seen:
            self._is_seen = False
        elif self.is_ready:
            try:
                self._see(self._fetch(self._job.job_id))
            except (ServiceError, UsageError, JobDeletedError) as exc:
                self._miss(exc)
        self._plan()
        return JobUpdate(
            job=self._job, error=self._error, is_given_up=self._is_given_up
        )

    def _plan(self) -> None:
        """
        When the next look is due, on the monotonic clock: when the job may have ended,
        or, where there is trouble, ever later.
        """
        if self._error or self._job.is_final:
            delay = next(self._delays)
        else:
            self._delays = delays()
            delay = self._pause(self._job.job_id)
        self.due = self._clock.now() + delay

    def see(self, job: Job) -> None:
        """
        The job was seen without a look at it alone.
        """
        self._is_seen = True
        self._see(job)

    def miss(self, exc: KreaError) -> None:
        """
        It was to be seen so, and was not.
        """
        self._is_seen = True
        self._miss(exc)

    def _see(self, job: Job) -> None:
        self._error = None
        if not self._job.lacks_result:
            self._job = job
            return
        self._looks_left -= 1
        if job.status == "completed":
            self._job = job

    def _miss(self, exc: KreaError) -> None:
        now = self._clock.now()
        if self._error is None:
            self._failing_since = now
        self._error = exc
        asks = getattr(exc, "retry_after", None) or 0.0
        # A host that was silent is tried again: its network may have been away.
        asks = asks if math.isfinite(asks) else 0.0
        self._not_before = now + asks
        self._is_given_up = (
            not isinstance(exc, ServiceError)
            or now - self._failing_since >= TOLERANCE_SECONDS
            or bool(asks and self._not_before > self._deadline)
        )
