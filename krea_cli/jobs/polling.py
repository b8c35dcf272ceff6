"""
Look again until jobs are final.  Knows nothing of HTTP or of the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from krea_cli.api.models import Job
from krea_cli.errors import InvalidResponseError, ServiceError, UsageError
from krea_cli.jobs.poll_state import FIRST_SECONDS, JobUpdate, PollState
from krea_cli.runtime.clock import Clock

# Of more jobs than this a list tells with fewer requests (hazard L8).
MOST_LOOKS = 10
# The least time between two rounds of so many.
MANY_SECONDS = 0.5
# Where the monotonic clock stands still while the machine sleeps, the wall clock shows
# it afterwards (hazard L7).
STEP_SECONDS, SUSPENDED_SECONDS = 1.0, 60.0
# Who sleeps until a time may wake at it, by the last digit.
_EARLY = 1e-6


class PollRounds:
    """
    Looks at jobs, round by round, until all are final (with *is_one_enough*: until one
    is, and its round is over) or *deadline*, on the monotonic clock, has passed; jobs
    may be added meanwhile.  *pause* says after a look at a job how many seconds later
    the next is worth it.

    Any status that is not known to be final is waited on (hazard L1), one that is stays
    (L9).  A look that fails is made again, up to five minutes on end; when the service
    refuses it, it is not.  A look that fails at the deadline is no failure: the job
    goes on, as far as anyone knows.

    Where there are many jobs, and for the last look at several, *fetch_many* is asked
    for all: it gives those that it finds, and the others are looked at as before.
    """

    def __init__(
        self,
        fetch: Callable[[str], Job],
        *,
        deadline: float,
        clock: Clock,
        pause: Callable[[str], float],
        is_one_enough: bool = False,
        fetch_many: Callable[[Sequence[str]], Mapping[str, Job]] | None = None,
    ) -> None:
        self._fetch = fetch
        self._fetch_many = fetch_many
        self._deadline = deadline
        self._clock = clock
        self._pause = pause
        self._is_one_enough = is_one_enough
        self._watches: list[PollState] = []
        self._is_late = self._has_slept = False
        self._has_many = self._has_news = False

    def add(self, job: Job) -> None:
        """
        One that has just been seen.
        """
        watch = PollState(job, self._fetch, self._pause, self._deadline, self._clock)
        self._watches.append(watch)

    @property
    def are_over(self) -> bool:
        """
        Whether all jobs that were added are final or given up, or the time is up.
        """
        has_ended = any(watch.has_ended for watch in self._watches)
        is_enough = self._is_one_enough and has_ended
        return self._is_late or is_enough or not self._watched

    @property
    def is_late(self) -> bool:
        """
        Whether the time is up.
        """
        return self._is_late

    @property
    def _watched(self) -> list[PollState]:
        return [watch for watch in self._watches if not watch.is_over]

    def pause(self) -> None:
        """
        Sleep until a look is due, but not longer than the time is.
        """
        now = self._clock.now()
        until = min((each.due for each in self._watched), default=now + FIRST_SECONDS)
        if self._has_many:
            # Where some have ended just now, others are about to.
            soon = now + MANY_SECONDS
            until = soon if self._has_news else max(until, soon)
        self._has_slept = _pause(min(until, self._deadline) - now, self._clock)

    def looks(self) -> Iterator[JobUpdate]:
        """
        Look at the jobs for which it is time.

        Raises:
            KreaError: what concerns every look, such as a rejected token.
        """
        watched = self._watched
        # There may be no time left for more than one look.
        is_late = self._has_slept or self._clock.now() + _EARLY >= self._deadline
        self._see_many(watched, is_last=is_late)
        now = self._deadline if self._has_slept else self._clock.now() + _EARLY
        is_last = now >= self._deadline
        due = [each for each in watched if each.is_seen or each.due <= now or is_last]
        rest = [each for each in watched if each not in due]
        for at, watch in enumerate(_round(due, rest if self._is_one_enough else ())):
            if at and self._clock.now() >= self._deadline and not watch.is_seen:
                break
            yield watch.look()
        self._has_news = any(watch.is_over for watch in watched)
        self._is_late = self._clock.now() >= self._deadline

    def _see_many(self, watched: Sequence[PollState], *, is_last: bool) -> None:
        """
        Have the jobs seen at once, if they are many or it is the last time, and the
        service can tell.
        """
        self._has_many |= len(watched) > MOST_LOOKS
        ready = {watch.job_id: watch for watch in watched if watch.is_ready}
        is_worth_it = (self._has_many or is_last) and len(ready) > 1
        if not (self._fetch_many and is_worth_it):
            return
        try:
            found = self._fetch_many(list(ready))
        except (InvalidResponseError, UsageError):
            # It does not have such a list, or none that can be read.
            self._fetch_many = None
        except ServiceError as exc:
            for watch in ready.values():
                watch.miss(exc)
        else:
            for job_id, job in found.items():
                ready[job_id].see(job)


def _round(due: Sequence[PollState], rest: Sequence[PollState]) -> Iterator[PollState]:
    """
    Those that are due, and the rest when one of them has ended.
    """
    yield from due
    if any(watch.has_ended for watch in due):
        yield from rest


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
