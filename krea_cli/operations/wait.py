"""
Jobs that are looked at until they are final, while others are still on their way to the
service, and the results of the first are being saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from krea_cli.api.models import Job
from krea_cli.cli.context import CliContext
from krea_cli.errors import KreaError
from krea_cli.jobs.poll_state import JobUpdate
from krea_cli.jobs.polling import PollRounds
from krea_cli.operations.fetch_jobs import with_next_look
from krea_cli.operations.poll_timing import PollTiming
from krea_cli.operations.save import ResultSaver

if TYPE_CHECKING:
    from krea_cli.operations.batch_submit import BatchSubmission
    from krea_cli.output.progress import Progress

# One look may take so long; the next is made then.
LOOK_SECONDS = 20.0


class Poller:
    """
    *jobs* as they are now, in the order of their indexes: those that are given, or
    those that *sending* makes.  To *errors* goes why some cannot be seen.
    """

    def __init__(
        self,
        session: CliContext,
        jobs: Sequence[Job],
        errors: list[KreaError],
        *,
        sending: BatchSubmission | None,
    ) -> None:
        self._errors = errors
        self._session = session
        self._given = list(jobs)
        self._sending = sending
        self._seen: dict[str, Job] = {}
        self._ended = set[str]()
        self._given_up = set[str]()

    @property
    def jobs(self) -> list[Job]:
        return [job for job in self.places if job]

    @property
    def places(self) -> Sequence[Job | None]:
        """
        The jobs, with None for one that may still come.
        """
        places = self._sending.places() if self._sending else self._given
        return [job and self._seen.get(job.job_id, job) for job in places]

    @property
    def count(self) -> int:
        """
        How many jobs there are to be.
        """
        return self._sending.count if self._sending else len(self._given)

    def see(self, job: Job) -> None:
        """
        The job is so now; how it ended is kept.
        """
        self._seen[job.job_id] = job
        if job.is_final and job.job_id not in self._ended:
            self._ended.add(job.job_id)
            self._session.ended(job)

    def keep(self, jobs: Sequence[Job]) -> None:
        """
        There are no others from now on.
        """
        self._given = list(jobs)

    def poll(
        self,
        *,
        deadline: float,
        saving: ResultSaver | None = None,
        is_one_enough: bool = False,
        lacks_result: bool = False,
    ) -> None:
        """
        Look at the jobs, which have just been seen, until all are final or *deadline*
        has passed, and begin with *saving* meanwhile; until one is, with
        *is_one_enough*; only those that are completed without a result, with
        *lacks_result*.  It ends early when a request is in doubt.
        """
        timing = PollTiming(self._session)
        rounds = self._rounds(timing, deadline, saving, is_one_enough=is_one_enough)
        added = set[str](self._given_up)
        with self._session.out.progress() as progress:
            progress.awaited(self.count)
            while True:
                progress.unsent(self._sending.unsent if self._sending else 0)
                for job in self.jobs:
                    if job.job_id in added or (lacks_result and not job.lacks_result):
                        continue
                    added.add(job.job_id)
                    timing.add(job)
                    rounds.add(job)
                    self.see(job)
                    progress.seen(job)
                progress.usually(timing.usual())
                if saving and self.count > 1:
                    saving.offer(self.places, progress)
                if self._is_over(rounds):
                    return
                rounds.pause()
                for each in rounds.looks():
                    self._looked(each, progress)

    def _is_over(self, rounds: PollRounds) -> bool:
        if self._sending and not rounds.is_late:
            is_waited_for = self._sending.is_open or not rounds.are_over
            return self._sending.is_unconfirmed or not is_waited_for
        return rounds.are_over

    def _looked(self, look: JobUpdate, progress: Progress) -> None:
        job_id = look.job.job_id
        self.see(look.job)
        if look.error and look.is_given_up:
            self._given_up.add(job_id)
            self._errors.append(with_next_look(look.error, job_id))
        elif look.error:
            progress.missed(look.job, look.error)
        else:
            progress.seen(look.job)

    def _rounds(
        self,
        timing: PollTiming,
        deadline: float,
        saving: ResultSaver | None,
        *,
        is_one_enough: bool,
    ) -> PollRounds:
        session, sending = self._session, self._sending
        crews = [each.crew for each in (sending, saving) if each]

        def rest(seconds: float) -> None:
            for crew in crews:
                if crew.is_busy:
                    crew.rest(seconds)
                    return
            session.clock.sleep(seconds)

        def soon() -> float:
            # A service that is silent must not make this program so, too (hazard L12).
            return min(deadline, session.clock.now() + LOOK_SECONDS)

        return PollRounds(
            lambda job_id: session.look(job_id, deadline=soon()),
            deadline=deadline,
            clock=session.clock._replace(sleep=rest),
            pause=timing.pause,
            is_one_enough=is_one_enough,
            fetch_many=lambda ids: session.look_at_many(ids, deadline=soon()),
        )
