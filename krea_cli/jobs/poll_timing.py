"""
Decide when to poll jobs, from the durations of earlier jobs in the journal.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from krea_cli.api.models import Job
from krea_cli.errors import JournalError
from krea_cli.jobs.schedule import Guess, poll_ages, seconds_until_next_poll

if TYPE_CHECKING:
    from krea_cli.journal.queries import JournalQueries
    from krea_cli.runtime.clock import Clock


class PollTiming:
    """
    Decide when to poll each of several jobs.

    `history` is called for the journal if a job has a model. `guess` returns an
    estimate for a job, which counts most while few durations are known. If the journal
    cannot be read, only the estimate is used. `log` is called once for each model with
    the source of its durations.
    """

    def __init__(
        self,
        history: Callable[[], JournalQueries],
        clock: Clock,
        *,
        guess: Callable[[Job], Guess],
        log: Callable[[str], object],
    ) -> None:
        self._history = history
        self._clock = clock
        self._guess = guess
        self._log = log
        self._jobs: dict[str, Job] = {}
        self._began: dict[str, float] = {}
        self._ages: dict[str | None, list[float]] = {}
        self._usual: dict[str | None, float] = {}

    def add(self, job: Job) -> None:
        """
        Add a job that has just been fetched.
        """
        self._jobs[job.job_id] = job
        self._began[job.job_id] = self._clock.now() - self._age(job)

    def seconds_until_next_poll(self, job_id: str) -> float:
        """
        Return the seconds from a poll of the job now to its next poll.
        """
        job = self._jobs[job_id]
        if job.model not in self._ages:
            self._ages[job.model] = self._poll_ages(job)
        age = self._clock.now() - self._began[job_id]
        return seconds_until_next_poll(self._ages[job.model], age)

    def usual_seconds(self) -> float | None:
        """
        Return how many seconds jobs of the slowest model usually take, or None if the
        journal does not know.
        """
        models = {job.model for job in self._jobs.values() if job.model}
        with suppress(JournalError):
            known = [self._history().usual_seconds(model) for model in models]
            return max((each for each in known if each is not None), default=None)
        return None

    def usual_seconds_of(self, model: str | None) -> float:
        """
        Return how many seconds jobs of a model usually take, from the journal or else
        estimated.
        """
        if model not in self._usual:
            known = None
            with suppress(JournalError):
                known = self._history().usual_seconds(model) if model else None
            guess = self._guess(Job(job_id="", status="queued", model=model))
            self._usual[model] = guess.seconds if known is None else known
        return self._usual[model]

    def _poll_ages(self, job: Job) -> list[float]:
        durations = list[float]()
        if job.model:
            with suppress(JournalError):
                durations = self._history().durations(job.model)
        guess = self._guess(job)
        source = guess.source
        if durations:
            jobs = "1 job" if len(durations) == 1 else f"{len(durations)} jobs"
            source = f"{jobs} in the journal, and {source}"
        self._log(
            f"Polling {job.model or 'a model without a name'} at intervals based on "
            f"{source}."
        )
        return poll_ages(durations, guess)

    def _age(self, job: Job) -> float:
        """
        Return the seconds since the service created the job. If its creation time lies
        before the request or in the future, use the time of the request instead.
        """
        now, sent_at = self._clock.wall(), None
        if job.model:
            with suppress(JournalError):
                sent_at = self._history().sent_at(job.job_id)
        age = now - (now if job.created is None else job.created)
        if sent_at is not None and (
            job.created is None or not 0 <= age <= now - sent_at
        ):
            age = now - sent_at
        return max(age, 0.0)
