"""
Poll jobs until they have finished. Independent of HTTP, the terminal and the journal.
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

# After a failed poll: the first pause, the factor of each next one, the longest.
FIRST_RETRY_SECONDS, RETRY_GROWTH, MAX_RETRY_SECONDS = 2.0, 1.15, 5.0
# Give up on a job when all of its polls have failed for this long.
GIVE_UP_AFTER_SECONDS = 300.0
# A job may be completed a moment before it has its result URLs.
POLLS_FOR_RESULTS = 3
# More jobs than this are fetched with list requests.
MAX_SINGLE_POLLS = 10
# The minimum time between two rounds of polls of many jobs.
MIN_ROUND_SECONDS = 0.5
# The monotonic clock may stand still while the computer is suspended. Comparing it with
# the wall clock every STEP_SECONDS shows that it was.
STEP_SECONDS, SUSPENDED_SECONDS = 1.0, 60.0
# A sleep may end earlier by a rounding error.
_TOLERANCE_SECONDS = 1e-6


class JobUpdate(NamedTuple):
    """
    The outcome of one poll.

    `job` is the job as last fetched. `error` is set if this poll failed. With
    `is_given_up`, the job will not be polled again because of the error.
    """

    job: Job
    error: KreaError | None = None
    is_given_up: bool = False


class Poller:
    """
    Poll jobs round by round, until all have finished or `deadline` (by `clock.now`) has
    passed; with `is_one_enough`, until the round in which one has finished. Jobs may be
    added between rounds.

    `fetch` returns the current state of a job. `seconds_until_next_poll` returns the
    pause before the next poll of a running job. A job with an unknown status is polled
    like a running job. A failed poll is repeated for up to five minutes, unless the
    service rejects it. A poll that fails at the deadline does not give the job up: it
    may still be running.

    `fetch_many` is used if there are many jobs, and for the last poll of several. Jobs
    that it leaves out are fetched one by one.
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
        self._is_timed_out = self._was_suspended = False
        self._has_many = self._has_news = False

    def add(self, job: Job) -> None:
        """
        Add a job that has just been fetched.
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
        Return True when no job is left to poll, or the deadline has passed.
        """
        is_enough = self._is_one_enough and any(each.is_final for each in self._states)
        return self._is_timed_out or is_enough or not self._active

    @property
    def is_timed_out(self) -> bool:
        """
        Return True after the deadline.
        """
        return self._is_timed_out

    @property
    def _active(self) -> list[PollState]:
        return [state for state in self._states if not state.is_over]

    def sleep(self) -> None:
        """
        Sleep until the next poll is due, or until the deadline.
        """
        now = self._clock.now()
        default = now + FIRST_RETRY_SECONDS
        until = min((each.due for each in self._active), default=default)
        if self._has_many:
            # If some have just finished, others are about to.
            soon = now + MIN_ROUND_SECONDS
            until = soon if self._has_news else max(until, soon)
        self._was_suspended = _sleep(min(until, self._deadline) - now, self._clock)

    def poll(self) -> Iterator[JobUpdate]:
        """
        Poll the jobs that are due, and yield an update for each.

        Raises:
            KreaError: an error that would affect every poll, such as a rejected token.
        """
        active = self._active
        # At the deadline there may be no time for more than one request.
        is_timed_out = (
            self._was_suspended
            or self._clock.now() + _TOLERANCE_SECONDS >= self._deadline
        )
        self._fetch_together(active, is_last=is_timed_out)
        now = (
            self._deadline
            if self._was_suspended
            else self._clock.now() + _TOLERANCE_SECONDS
        )
        is_last = now >= self._deadline
        due = [each for each in active if each.has_update or each.due <= now or is_last]
        rest = [each for each in active if each not in due]
        for position, state in enumerate(
            _round(due, rest if self._is_one_enough else ())
        ):
            if (
                position
                and self._clock.now() >= self._deadline
                and not state.has_update
            ):
                break
            yield state.poll()
        self._has_news = any(state.is_over for state in active)
        self._is_timed_out = self._clock.now() >= self._deadline

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
            # The service has no job list, or it cannot be read.
            self._fetch_many = None
        except ServiceError as exc:
            for state in ready.values():
                state.failed(exc)
        else:
            for job_id, job in found.items():
                ready[job_id].fetched(job)


class PollState:
    """
    The state of polling one job, which has just been fetched. The arguments are those
    of `Poller`. `due` is the time of the next poll, by `clock.now`.
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
        Return False until the time that the service set with Retry-After.
        """
        return self._clock.now() >= self._not_before

    @property
    def has_update(self) -> bool:
        """
        Return True if `poll` can return an update without a request.
        """
        return self._has_update

    @property
    def is_final(self) -> bool:
        """
        Return True if the job has finished. While a completed job has no result URLs,
        it counts as finished only after a few more polls.
        """
        lacks_result = self._job.lacks_result and self._polls_for_results_left
        return self._job.is_final and not lacks_result

    @property
    def is_over(self) -> bool:
        return self.is_final or self._is_given_up

    def poll(self) -> JobUpdate:
        """
        Fetch the job, unless a list request has just fetched it or Retry-After has not
        passed.
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
        Return the time of the next poll. After errors, and while results are missing,
        the pauses grow.
        """
        if self._error or self._job.is_final:
            delay = next(self._retry_delays)
        else:
            self._retry_delays = retry_delays()
            delay = self._seconds_until_next_poll(self._job.job_id)
        return self._clock.now() + delay

    def fetched(self, job: Job) -> None:
        """
        Record that a list request fetched the job.
        """
        self._has_update = True
        self._set_job(job)

    def failed(self, exc: KreaError) -> None:
        """
        Record that a list request failed.
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
        retry_after = getattr(exc, "retry_after", None) or 0.0
        # Infinite if the host did not respond. Poll again: the network may return.
        retry_after = retry_after if math.isfinite(retry_after) else 0.0
        self._not_before = now + retry_after
        self._is_given_up = (
            not isinstance(exc, ServiceError)
            or getattr(exc, "is_lasting", False)
            or now - self._failing_since >= GIVE_UP_AFTER_SECONDS
            or bool(retry_after and self._not_before > self._deadline)
        )


def retry_delays() -> Iterator[float]:
    """
    Yield the seconds between failed polls, growing from 2 to 5.
    """
    delay = FIRST_RETRY_SECONDS
    while True:
        yield delay
        delay = min(delay * RETRY_GROWTH, MAX_RETRY_SECONDS)


def _round(due: Sequence[PollState], rest: Sequence[PollState]) -> Iterator[PollState]:
    """
    Yield the jobs that are due, and then the rest if one of these has finished.
    """
    yield from due
    if any(state.is_final for state in due):
        yield from rest


def _sleep(seconds: float, clock: Clock) -> bool:
    """
    Sleep. If the computer was suspended meanwhile, return True at once, as the job has
    probably finished. Setting the wall clock has the same effect, and costs one poll.
    """
    until, offset = clock.now() + seconds, clock.wall() - clock.now()
    while (left := until - clock.now()) > 0:
        clock.sleep(min(left, STEP_SECONDS))
        if clock.wall() - clock.now() - offset > SUSPENDED_SECONDS:
            return True
    return False
