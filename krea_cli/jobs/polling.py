"""
Poll jobs until they have finished. This module knows nothing about HTTP, the terminal
or the journal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from krea_cli.api.models import Job
from krea_cli.errors import (
    InvalidResponseError,
    JobDeletedError,
    KreaError,
    ServiceError,
    UsageError,
)
from krea_cli.runtime.clock import Clock

# After a failed poll: the first wait, how much longer each next one is, the longest.
RETRY_SECONDS, RETRY_GROWTH, MAX_RETRY_SECONDS = 2.0, 1.15, 5.0
# Polls that fail one after the other for so long are more than a passing trouble.
GIVE_UP_AFTER_SECONDS = 300.0
# A job may be completed a moment before its result URLs are there.
POLLS_FOR_RESULTS = 3
# More jobs than this are fetched together, as a list.
MAX_SINGLE_POLLS = 10
# The least time between two polls of many jobs.
MANY_SECONDS = 0.5
# Where the monotonic clock stands still while the machine sleeps, the wall clock shows
# it afterwards.
STEP_SECONDS, SUSPENDED_SECONDS = 1.0, 60.0
# A sleep until a moment may end before it, by the last digit.
_EARLY = 1e-6


class JobUpdate(NamedTuple):
    """
    The outcome of one poll.

    *job* is the job as it was last fetched, and *error* the reason why this poll
    failed. *is_given_up* says that the job is not polled again for that reason.
    """

    job: Job
    error: KreaError | None = None
    is_given_up: bool = False


class Poller:
    """
    Polls jobs round by round, until all have finished or *deadline* (on the monotonic
    clock) has passed; with *is_one_enough*, until the round in which one has finished.
    Jobs may be added meanwhile.

    *fetch* returns a job as it is now, and *seconds_until_next_poll* how long to wait
    before the next poll of a job that still runs. A status that is not known to be
    final is waited for, and a final status stays. A failed poll is repeated for up to
    five minutes; a poll that the service rejects is not. A poll that fails at the
    deadline is no error: as far as anyone knows, the job still runs.

    Where there are many jobs, and for the last poll of several, *fetch_many* is asked
    for all of them. Jobs that it leaves out are fetched one by one.
    """

    def __init__(
        self,
        fetch: Callable[[str], Job],
        *,
        deadline: float,
        clock: Clock,
        seconds_until_next_poll: Callable[[str], float],
        is_one_enough: bool = False,
        fetch_many: Callable[[Sequence[str]], Mapping[str, Job]] | None = None,
    ) -> None:
        self._fetch = fetch
        self._fetch_many = fetch_many
        self._deadline = deadline
        self._clock = clock
        self._seconds_until_next_poll = seconds_until_next_poll
        self._is_one_enough = is_one_enough
        self._states: list[PollState] = []
        self._is_late = self._was_suspended = False
        self._has_many = self._has_news = False

    def add(self, job: Job) -> None:
        """
        Poll a job, too, which has just been fetched.
        """
        self._states.append(
            PollState(
                job,
                self._fetch,
                self._seconds_until_next_poll,
                self._deadline,
                self._clock,
            )
        )

    @property
    def is_over(self) -> bool:
        """
        Tell whether all added jobs have finished or are given up, or the time is up.
        """
        is_enough = self._is_one_enough and any(each.is_final for each in self._states)
        return self._is_late or is_enough or not self._active

    @property
    def is_late(self) -> bool:
        """
        Tell whether the time is up.
        """
        return self._is_late

    @property
    def _active(self) -> list[PollState]:
        return [state for state in self._states if not state.is_over]

    def sleep(self) -> None:
        """
        Sleep until the next poll is due, at most until the deadline.
        """
        now = self._clock.now()
        default = now + RETRY_SECONDS
        until = min((each.due for each in self._active), default=default)
        if self._has_many:
            # Where some have finished just now, others are about to.
            soon = now + MANY_SECONDS
            until = soon if self._has_news else max(until, soon)
        self._was_suspended = _sleep(min(until, self._deadline) - now, self._clock)

    def poll(self) -> Iterator[JobUpdate]:
        """
        Poll the jobs that are due, and yield an update for each.

        Raises:
            KreaError: an error that every poll would meet, such as a rejected token.
        """
        active = self._active
        # There may be no time left for more than one poll.
        is_late = self._was_suspended or self._clock.now() + _EARLY >= self._deadline
        self._fetch_together(active, is_last=is_late)
        now = self._deadline if self._was_suspended else self._clock.now() + _EARLY
        is_last = now >= self._deadline
        due = [each for each in active if each.has_update or each.due <= now or is_last]
        rest = [each for each in active if each not in due]
        for at, state in enumerate(_round(due, rest if self._is_one_enough else ())):
            if at and self._clock.now() >= self._deadline and not state.has_update:
                break
            yield state.poll()
        self._has_news = any(state.is_over for state in active)
        self._is_late = self._clock.now() >= self._deadline

    def _fetch_together(self, active: Sequence[PollState], *, is_last: bool) -> None:
        """
        Fetch the jobs with list requests, if they are many or this is the last poll.
        """
        self._has_many |= len(active) > MAX_SINGLE_POLLS
        ready = {state.job_id: state for state in active if state.is_ready}
        is_worth_it = (self._has_many or is_last) and len(ready) > 1
        if not (self._fetch_many and is_worth_it):
            return
        try:
            found = self._fetch_many(list(ready))
        except (InvalidResponseError, UsageError):
            # The service has no such list, or the list cannot be read.
            self._fetch_many = None
        except ServiceError as exc:
            for state in ready.values():
                state.failed(exc)
        else:
            for job_id, job in found.items():
                ready[job_id].fetched(job)


class PollState:
    """
    The polls of one job, which was fetched just now; arguments as for `Poller`.

    *due* is when the next poll is due, on the monotonic clock.
    """

    def __init__(
        self,
        job: Job,
        fetch: Callable[[str], Job],
        seconds_until_next_poll: Callable[[str], float],
        deadline: float,
        clock: Clock,
    ) -> None:
        self._job = job
        self._fetch = fetch
        self._seconds_until_next_poll = seconds_until_next_poll
        self._deadline = deadline
        self._clock = clock
        self._polls_for_results_left = POLLS_FOR_RESULTS
        self._error: KreaError | None = None
        self._failing_since = self._not_before = clock.now()
        self._is_given_up = self._has_update = False
        self._retry_delays = retry_delays()
        self.due = self._next_poll()

    @property
    def job_id(self) -> str:
        return self._job.job_id

    @property
    def is_ready(self) -> bool:
        """
        Tell whether the service may be asked again: it may have named a time.
        """
        return self._clock.now() >= self._not_before

    @property
    def has_update(self) -> bool:
        """
        Tell whether `poll` has something to return without a request.
        """
        return self._has_update

    @property
    def is_final(self) -> bool:
        """
        Tell whether the job has finished, and its results are there or will not come.
        """
        lacks_result = self._job.lacks_result and self._polls_for_results_left
        return self._job.is_final and not lacks_result

    @property
    def is_over(self) -> bool:
        return self.is_final or self._is_given_up

    def poll(self) -> JobUpdate:
        """
        Fetch the job, unless it was fetched in another way just now, or the service has
        named a time that has not come yet.
        """
        if self._has_update:
            self._has_update = False
        elif self.is_ready:
            try:
                self._set_job(self._fetch(self._job.job_id))
            except (ServiceError, UsageError, JobDeletedError) as exc:
                self._set_error(exc)
        self.due = self._next_poll()
        return JobUpdate(
            job=self._job, error=self._error, is_given_up=self._is_given_up
        )

    def _next_poll(self) -> float:
        """
        Decide when the next poll is due: when the job may have finished, or, where
        there is trouble, after ever longer waits.
        """
        if self._error or self._job.is_final:
            delay = next(self._retry_delays)
        else:
            self._retry_delays = retry_delays()
            delay = self._seconds_until_next_poll(self._job.job_id)
        return self._clock.now() + delay

    def fetched(self, job: Job) -> None:
        """
        Note that the job was fetched together with others.
        """
        self._has_update = True
        self._set_job(job)

    def failed(self, exc: KreaError) -> None:
        """
        Note that fetching the job together with others failed.
        """
        self._has_update = True
        self._set_error(exc)

    def _set_job(self, job: Job) -> None:
        self._error = None
        if not self._job.lacks_result:
            self._job = job
            return
        self._polls_for_results_left -= 1
        if job.status == "completed":
            self._job = job

    def _set_error(self, exc: KreaError) -> None:
        now = self._clock.now()
        if self._error is None:
            self._failing_since = now
        self._error = exc
        asked = getattr(exc, "retry_after", None) or 0.0
        # A host that was silent is asked again: its network may have been away.
        asked = asked if math.isfinite(asked) else 0.0
        self._not_before = now + asked
        self._is_given_up = (
            not isinstance(exc, ServiceError)
            or getattr(exc, "is_lasting", False)
            or now - self._failing_since >= GIVE_UP_AFTER_SECONDS
            or bool(asked and self._not_before > self._deadline)
        )


def retry_delays() -> Iterator[float]:
    """
    Yield the seconds between polls that fail: 2 at first, slowly up to 5.
    """
    delay = RETRY_SECONDS
    while True:
        yield delay
        delay = min(delay * RETRY_GROWTH, MAX_RETRY_SECONDS)


def _round(due: Sequence[PollState], rest: Sequence[PollState]) -> Iterator[PollState]:
    """
    Yield the jobs that are due, and then the rest if one of them has finished.
    """
    yield from due
    if any(state.is_final for state in due):
        yield from rest


def _sleep(seconds: float, clock: Clock) -> bool:
    """
    Sleep, but wake up when the machine turns out to have been suspended: most likely
    the job has finished by then. Return whether it was. A wall clock that is set looks
    the same, and costs one poll.
    """
    until, ahead = clock.now() + seconds, clock.wall() - clock.now()
    while (left := until - clock.now()) > 0:
        clock.sleep(min(left, STEP_SECONDS))
        if clock.wall() - clock.now() - ahead > SUSPENDED_SECONDS:
            return True
    return False
