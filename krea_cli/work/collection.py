"""
What becomes of jobs: they are waited for, saved and told.

What goes wrong with one job does not stop the others; it is kept as an error until all
is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from krea_cli.api.resources import Job
from krea_cli.errors import (
    ConversionError,
    DownloadError,
    ExitCode,
    KreaError,
    ServiceError,
    StillRunningError,
)
from krea_cli.jobs import outcome
from krea_cli.output.results import JobSaved, Result
from krea_cli.session import Session
from krea_cli.work import github, untold
from krea_cli.work.saving import Saving
from krea_cli.work.waiting import Waiting

if TYPE_CHECKING:
    from krea_cli.delivery.targets import Naming, Target
    from krea_cli.work.sending import Sending

# Enough for the looks that results may come late for.
LACKING_SECONDS = 30.0


class Collection:
    """
    Jobs on their way to files, *errors* as they came about: those that are there, or
    those that *sending* makes, with its errors.
    """

    def __init__(
        self,
        session: Session,
        jobs: Sequence[Job] = (),
        errors: Sequence[KreaError] = (),
        *,
        sending: Sending | None = None,
    ) -> None:
        self.errors = list(errors)
        self._session = session
        self._sending = sending
        self._waiting = Waiting(session, jobs, self.errors, sending=sending)

    @property
    def jobs(self) -> list[Job]:
        return self._waiting.jobs

    def wait(
        self,
        *,
        deadline: float,
        target: Target | None = None,
        naming: Naming | None = None,
        is_one_enough: bool = False,
    ) -> None:
        """
        Look at the jobs, which have just been seen, until all are final or *deadline*
        has passed, and save their results meanwhile if there is a *target*; *naming* is
        for jobs that the journal does not have.  With *is_one_enough* it ends when one
        is, and only those that ended are kept, and saved.

        Raises:
            KreaError: what concerns every look; what was saved until then is told.
        """
        saving = Saving(self._session, target, naming) if target else None
        try:
            self._wait(deadline, saving, is_one_enough=is_one_enough)
        except KreaError:
            if saving and saving.saved:
                found = (saving.saved.get(job.job_id) for job in self.jobs)
                jobs = [job for job in found if job and job.files]
                told = [JobSaved(job) for job in jobs]
                if lost := untold.tell(self._session, jobs, told):
                    self._session.out.error(lost)
            raise

    def _wait(
        self, deadline: float, saving: Saving | None, *, is_one_enough: bool
    ) -> None:
        waiting, sending = self._waiting, self._sending
        early = None if is_one_enough else saving
        with saving.crew if saving else nullcontext():
            waiting.poll(deadline=deadline, saving=early, is_one_enough=is_one_enough)
            while sending and sending.is_in_doubt:
                sending.settle()
                waiting.poll(deadline=deadline, saving=early)
            if is_one_enough:
                self._keep_ended()
            for job in self.jobs:
                if job.is_final and job.status != "completed":
                    self._session.settle(job.job_id, has_result=False)
            if saving:
                self._finish(saving)

    def save(self, target: Target) -> None:
        """
        Save the results of the jobs that are completed; those that lack one are looked
        at again (hazard L10).
        """
        saving = Saving(self._session, target, None)
        deadline = self._session.clock.now() + LACKING_SECONDS
        self._waiting.poll(deadline=deadline, lacks_result=True)
        with saving.crew:
            self._finish(saving)

    def _finish(self, saving: Saving) -> None:
        jobs, waiting = self.jobs, self._waiting
        with self._session.out.progress() as progress:
            saving.finish(jobs, progress, several=waiting.count > 1)
        for job in jobs:
            if saved := saving.saved.get(job.job_id):
                waiting.see(saved)
                self._look_at(saved, saving)

    def _look_at(self, saved: Job, saving: Saving) -> None:
        if exc := saving.failed.get(saved.job_id):
            self.errors.append(self._with_way_out(exc, saved))
            return
        if lacking := saving.lacking.get(saved.job_id):
            self.errors.append(self._with_way_out(lacking, saved))
        for sentence in saving.remarks(saved):
            self._session.out.warn(sentence)
        if unmet := self._session.unmet(saved):
            self.errors.append(outcome.unexpected(saved, unmet))

    def _keep_ended(self) -> None:
        """
        The others go on, which is no failure as long as there is one that ended.
        """
        final = [job for job in self.jobs if job.is_final]
        # Of those that lack a result it may still come.
        ended = [job for job in final if not job.lacks_result] or final
        if ended:
            passing = (ServiceError, StillRunningError)
            self.errors[:] = [e for e in self.errors if not isinstance(e, passing)]
        troubled = {error.job_id for error in self.errors}
        going = [j for j in self.jobs if j not in ended and j.job_id not in troubled]
        if ended and going:
            ids = " ".join(job.job_id for job in going)
            self._session.out.note(f"Not final yet: {ids}")
        elif going:
            self.errors.append(self._none_ended(going))
        self._waiting.keep(ended)

    def _none_ended(self, jobs: Sequence[Job]) -> KreaError:
        where = ", ".join(f"{job.job_id} is {job.status!r}" for job in jobs)
        ids = [job.job_id for job in jobs]
        output = self._session.delivery.output or "."
        again = self._session.command("wait", "--any", *ids, "-o", output)
        return StillRunningError(
            f"No job was final in time: {where}.",
            hint=f"Go on with: {again}",
            job_id=ids[0] if len(ids) == 1 else None,
        )

    def tell(
        self,
        result: Callable[[Job, str], Result],
        *,
        waits: bool = True,
        preview: Callable[[Sequence[Job]], None] | None = None,
    ) -> None:
        """
        Tell every job, as the *result* that it makes with the command that collects it,
        *preview* them, and then tell what went wrong.

        *waits* is false for jobs that nobody was to wait for: running is no failure.

        Raises:
            KreaError: there is a job without its result.
        """
        collect = self._session.collect
        if self._sending:
            self.errors[:0] = self._sending.errors
        told = [result(job, collect("wait", [job.job_id])) for job in self.jobs]
        lost = untold.tell(self._session, self.jobs, told)
        troubled = {error.job_id for error in self.errors}
        for job in self.jobs if waits else ():
            if job.job_id in troubled:
                continue
            error = outcome.failure(job, collect=collect("wait", [job.job_id]))
            if error:
                self.errors.append(error)
        if lost:
            untold.give_up(self._session, self.jobs, self.errors, lost)
        # All is said of these jobs, so nobody needs to be reminded of them.
        self._session.pending.clear()
        self._session.untold.clear()
        if preview:
            preview(self.jobs)
        unreported = github.report(self._session, self.jobs)
        if unreported and self.errors:
            self._session.out.error(unreported)
        failed = {error.job_id for error in self.errors}
        outcome.check(
            self.errors, succeeded=sum(job.job_id not in failed for job in self.jobs)
        )
        if unreported:
            raise unreported

    def _with_way_out(self, error: KreaError, job: Job) -> KreaError:
        """
        An error that costs nothing to overcome: the job is paid for and kept.
        """
        error.job_id = job.job_id
        # What could not be converted is there all the same.
        is_there = isinstance(error, ConversionError) and len(job.files) == len(
            job.urls
        )
        is_hopeless = isinstance(error, DownloadError) and error.is_final
        if error.exit_code == ExitCode.STORAGE and not (is_there or is_hopeless):
            # Where the place was the trouble, it would be so again.
            is_placed = isinstance(error, DownloadError)
            collect = self._session.collect(
                "download", [job.job_id], elsewhere=not is_placed
            )
            error.add_hint(f"Collect it with: {collect}")
        return error
