"""
When jobs are looked at while they are waited for, by what is known of their models.
"""

from __future__ import annotations

from contextlib import suppress

from krea_cli.api.models import Job
from krea_cli.cli.context import CliContext
from krea_cli.errors import JournalError
from krea_cli.jobs.forecast import GUESSES, UNKNOWN
from krea_cli.jobs.schedule import looks, pause


class PollTiming:
    """
    The times for jobs.  A journal that cannot be used only makes them worse.
    """

    def __init__(self, session: CliContext) -> None:
        self._session = session
        self._jobs: dict[str, Job] = {}
        self._began: dict[str, float] = {}
        self._looks: dict[str | None, list[float]] = {}

    def add(self, job: Job) -> None:
        """
        One that has just been seen.
        """
        self._jobs[job.job_id] = job
        self._began[job.job_id] = self._session.clock.now() - self._age(job)

    def pause(self, job_id: str) -> float:
        """
        How many seconds after a look the next one at that job is worth it.
        """
        job = self._jobs[job_id]
        if job.model not in self._looks:
            self._looks[job.model] = self._times(job)
        age = self._session.clock.now() - self._began[job_id]
        return pause(self._looks[job.model], age)

    def usual(self) -> float | None:
        """
        The seconds that jobs of the slowest of the models usually take, if known.
        """
        models = {job.model for job in self._jobs.values() if job.model}
        with suppress(JournalError):
            known = [self._session.history.usual_seconds(model) for model in models]
            return max((each for each in known if each is not None), default=None)
        return None

    def _times(self, job: Job) -> list[float]:
        session, durations = self._session, list[float]()
        if job.model:
            with suppress(JournalError):
                durations = session.history.durations(job.model)
        kinds = ["sandbox"] if session.settings.sandbox else session.kinds([job])
        return looks(durations, GUESSES.get(next(iter(kinds), ""), UNKNOWN))

    def _age(self, job: Job) -> float:
        """
        The seconds since the service made the job.  Where its clock makes that longer
        ago than the job was sent, or still to come, ours alone counts.
        """
        now, sent_at = self._session.clock.wall(), None
        if job.model:
            with suppress(JournalError):
                sent_at = self._session.history.sent_at(job.job_id)
        age = now - (now if job.created is None else job.created)
        if sent_at is not None and (
            job.created is None or not 0 <= age <= now - sent_at
        ):
            age = now - sent_at
        return max(age, 0.0)
