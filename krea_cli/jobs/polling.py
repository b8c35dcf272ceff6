"""
Look again until jobs are final.  Knows nothing of HTTP or of the terminal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from krea_cli.api.resources import Job
from krea_cli.clock import Clock
from krea_cli.errors import JobGoneError, KreaError, ServiceError, UsageError

FIRST_SECONDS, GROWTH, LONGEST_SECONDS = 2.0, 1.15, 5.0
# Looks that fail one after the other for so long are no passing trouble (hazard L2).
TOLERANCE_SECONDS = 300.0
# A job may be completed a moment before its results are told (hazard L10).
LOOKS_FOR_RESULTS = 3
# Where the monotonic clock stands still while the machine sleeps, the wall clock shows
# it afterwards (hazard L7).
STEP_SECONDS, SUSPENDED_SECONDS = 1.0, 60.0
# Who sleeps until a time may wake at it, by the last digit.
_EARLY = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
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


def poll(
    jobs: Sequence[Job],
    fetch: Callable[[str], Job],
    *,
    deadline: float,
    clock: Clock,
    pause: Callable[[str], float],
    is_one_enough: bool = False,
) -> Iterator[Look]:
    """
    Yield each look at the *jobs*, which have just been seen, until all are final (with
    *is_one_enough*: until one is, and its round is over) or *deadline*, on the
    monotonic clock, has passed; the caller sees by the jobs which it was.  *pause* says
    after a look at a job how many seconds later the next is worth it.

    Any status that is not known to be final is waited on (hazard L1), one that is stays
    (L9).  A look that fails is made again, up to five minutes on end; when the service
    refuses it, it is not.  A look that fails at the deadline is no failure: the job
    goes on, as far as anyone knows.

    Raises:
        KreaError: what concerns every look, such as a rejected token.
    """
    watches = [_Watch(job, fetch, pause, deadline, clock) for job in jobs]
    while True:
        watched = [watch for watch in watches if not watch.is_over]
        if not watched or (is_one_enough and any(watch.has_ended for watch in watches)):
            return
        until = min(watch.due for watch in watched)
        at_once = _pause(min(until, deadline) - clock.now(), clock)
        now = deadline if at_once else clock.now() + _EARLY
        due = [each for each in watched if each.due <= now or now >= deadline]
        rest = [each for each in watched if each not in due] if is_one_enough else []
        for at, watch in enumerate(_round(due, rest)):
            if at and clock.now() >= deadline:
                return
            yield watch.look()
        if clock.now() >= deadline:
            return


def _round(due: Sequence[_Watch], rest: Sequence[_Watch]) -> Iterator[_Watch]:
    """
    Those that are due, and the rest when one of them has ended.
    """
    yield from due
    if any(watch.has_ended for watch in due):
        yield from rest


class _Watch:
    """
    One job that is looked at again and again.
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
        self._is_given_up = False
        self._delays = delays()
        self._plan()

    @property
    def has_ended(self) -> bool:
        """
        Whether the job is final, and its results are there or will not come.
        """
        return self._job.is_final and not (self._job.lacks_result and self._looks_left)

    @property
    def is_over(self) -> bool:
        return self.has_ended or self._is_given_up

    def look(self) -> Look:
        """
        A look, or what the last one said while the service asked to be left alone.
        """
        if self._clock.now() >= self._not_before:
            try:
                self._see(self._fetch(self._job.job_id))
            except (ServiceError, UsageError, JobGoneError) as exc:
                self._miss(exc)
        self._plan()
        return Look(job=self._job, error=self._error, is_given_up=self._is_given_up)

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


def _pause(seconds: float, clock: Clock) -> bool:
    """
    Sleep, but no longer than to the moment when the machine is seen to have slept: what
    was running has most likely ended by then.  Whether it was; a wall clock that is set
    looks the same, and costs one look.
    """
    until, ahead = clock.now() + seconds, clock.wall() - clock.now()
    while (left := until - clock.now()) > 0:
        clock.sleep(min(left, STEP_SECONDS))
        if clock.wall() - clock.now() - ahead > SUSPENDED_SECONDS:
            return True
    return False
