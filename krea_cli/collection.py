"""
What becomes of jobs: they are waited for, saved and told.

What goes wrong with one job does not stop the others; it is kept as an error until all
is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from krea_cli import step, untold
from krea_cli.api.resources import Job
from krea_cli.errors import (
    DownloadError,
    ExitCode,
    KreaError,
    ServiceError,
    StillRunningError,
)
from krea_cli.jobs import outcome
from krea_cli.jobs.checks import differences, unexpected
from krea_cli.jobs.polling import poll
from krea_cli.one_by_one import with_next_look
from krea_cli.output.results import Result
from krea_cli.saving import Saving
from krea_cli.session import Session
from krea_cli.timing import Timing

if TYPE_CHECKING:
    from krea_cli.jobs.expectations import Expectation
    from krea_cli.jobs.targets import Naming, Target

# One look may take so long; the next is made then.
LOOK_SECONDS = 20.0
# Enough for the looks that results may come late for.
LACKING_SECONDS = 30.0


class Collection:
    """
    Jobs on their way to files: *jobs* as they are now, *errors* as they came about.
    """

    def __init__(
        self,
        session: Session,
        jobs: Sequence[Job],
        errors: Sequence[KreaError] = (),
        *,
        output: str | None = None,
    ) -> None:
        self.jobs = list(jobs)
        self.errors = list(errors)
        self._session = session
        self._output = output

    def wait(self, *, deadline: float, is_one_enough: bool = False) -> None:
        """
        Look at the jobs, which have just been seen, until all are final or *deadline*
        has passed.  With *is_one_enough* it ends when one is, and only those that ended
        are kept.
        """
        self._poll(self.jobs, deadline=deadline, is_one_enough=is_one_enough)
        if is_one_enough:
            self._keep_ended()
        for job in self.jobs:
            if job.is_final:
                self._session.ended(job)
            if job.is_final and job.status != "completed":
                self._session.settle(job.job_id, has_result=False)

    def wait_for_results(self) -> None:
        """
        Look again at the jobs that are completed without a result (hazard L10).
        """
        lacking = [job for job in self.jobs if job.lacks_result]
        deadline = self._session.clock.now() + LACKING_SECONDS
        self._poll(lacking, deadline=deadline)

    def _poll(
        self, jobs: Sequence[Job], *, deadline: float, is_one_enough: bool = False
    ) -> None:
        session, seen = self._session, {job.job_id: job for job in self.jobs}

        def fetch(job_id: str) -> Job:
            # A service that is silent must not make this program so, too (hazard L12).
            soon = session.clock.now() + LOOK_SECONDS
            return session.look(job_id, deadline=min(deadline, soon))

        timing = Timing(session, jobs)
        with session.out.progress() as progress:
            progress.usually(timing.usual())
            for job in jobs:
                progress.seen(job)
            for each in poll(
                jobs,
                fetch,
                deadline=deadline,
                clock=session.clock,
                pause=timing.pause,
                is_one_enough=is_one_enough,
            ):
                job_id = each.job.job_id
                seen[job_id] = each.job
                if each.error and each.is_given_up:
                    self.errors.append(with_next_look(session, each.error, job_id))
                elif each.error:
                    progress.missed(each.job, each.error)
                else:
                    progress.seen(each.job)
        self.jobs = list(seen.values())

    def _keep_ended(self) -> None:
        """
        The others go on, which is no failure as long as there is one that ended.
        """
        final = [job for job in self.jobs if job.is_final]
        # Of those that lack a result it may still come.
        ended = [job for job in final if not job.lacks_result] or final
        if ended:
            passing = (ServiceError, StillRunningError)
            self.errors = [e for e in self.errors if not isinstance(e, passing)]
        troubled = {error.job_id for error in self.errors}
        going = [j for j in self.jobs if j not in ended and j.job_id not in troubled]
        if ended and going:
            ids = " ".join(job.job_id for job in going)
            self._session.out.note(f"Not final yet: {ids}")
        elif going:
            self.errors.append(self._none_ended(going))
        self.jobs = ended

    def _none_ended(self, jobs: Sequence[Job]) -> KreaError:
        where = ", ".join(f"{job.job_id} is {job.status!r}" for job in jobs)
        ids = [job.job_id for job in jobs]
        again = self._session.command("wait", "--any", *ids, "-o", self._output or ".")
        return StillRunningError(
            f"No job was final in time: {where}.",
            hint=f"Go on with: {again}",
            job_id=ids[0] if len(ids) == 1 else None,
        )

    def save(
        self,
        target: Target,
        naming: Callable[[Job], Naming],
        *,
        force: bool,
        max_bytes: int | None = None,
        quality: int | None = None,
        expectations: Sequence[Expectation] = (),
    ) -> None:
        """
        Save the results of the completed jobs, under indexes that count from 1, up to
        four at once, and look whether they are what was asked for, and expected.
        """
        session = self._session
        results = session.results(
            target, force=force, max_bytes=max_bytes, quality=quality
        )
        saving = Saving(session, results, naming, force=force)
        with session.out.progress() as progress:
            saving.save(self.jobs, progress)
        for at, exc in sorted(saving.failed.items()):
            self.errors.append(self._with_way_out(exc, self.jobs[at]))
            # The journal may know of files from another time.
            self.jobs[at] = replace(self.jobs[at], files=())
        for at, saved in sorted(saving.saved.items()):
            self.jobs[at] = saved
            if at in saving.lacking:
                self.errors.append(self._with_way_out(saving.lacking[at], saved))
            for sentence in self._unexpected(saved):
                session.out.warn(sentence)
            if unmet := session.unmet(saved, expectations):
                self.errors.append(outcome.unexpected(saved, unmet))

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
        output = self._output or "."
        collect = self._session.collect
        told = [result(job, collect("wait", [job.job_id], output)) for job in self.jobs]
        lost = untold.tell(self._session, self.jobs, told)
        troubled = {error.job_id for error in self.errors}
        for job in self.jobs if waits else ():
            if job.job_id in troubled:
                continue
            again = collect("wait", [job.job_id], output)
            error = outcome.failure(job, collect=again)
            if error:
                self.errors.append(error)
        if lost:
            untold.give_up(self._session, self.jobs, self.errors, lost)
        # All is said of these jobs, so nobody needs to be reminded of them.
        self._session.pending.clear()
        if preview:
            preview(self.jobs)
        unreported = step.report(self._session, self.jobs)
        if unreported and self.errors:
            self._session.out.error(unreported)
        failed = {error.job_id for error in self.errors}
        outcome.check(
            self.errors, succeeded=sum(job.job_id not in failed for job in self.jobs)
        )
        if unreported:
            raise unreported

    def _unexpected(self, job: Job) -> list[str]:
        # Without a model there is nothing to read the catalogue for.
        models = self._session.catalogue.models if job.model else ()
        body, most_side = self._session.body(job.job_id), self._session.most_side
        return [
            *unexpected(job, models),
            *differences(job.files, body, most_side=most_side),
        ]

    def _with_way_out(self, error: KreaError, job: Job) -> KreaError:
        """
        An error that costs nothing to overcome: the job is paid for and kept.
        """
        error.job_id = job.job_id
        if error.exit_code == ExitCode.STORAGE:
            # Where the place was the trouble, it would be so again.
            output = self._output if isinstance(error, DownloadError) else None
            collect = self._session.collect("download", [job.job_id], output)
            error.add_hint(f"Collect it with: {collect}")
        return error
