"""
What becomes of jobs: they are waited for, saved and told.

What goes wrong with one job does not stop the others; it is kept as an error until all
is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from krea_cli.api.models import Job
from krea_cli.cli.context import CliContext
from krea_cli.errors import (
    Action,
    ConversionError,
    DownloadError,
    ExitCode,
    KreaError,
    ServiceError,
    Step,
    TooLargeError,
    UnsupportedResultError,
    WaitTimeoutError,
)
from krea_cli.jobs import job_errors
from krea_cli.operations import github_step, unwritten_results
from krea_cli.operations.save import ResultSaver
from krea_cli.operations.wait import Poller
from krea_cli.output.results.jobs import JobSaved, Result

if TYPE_CHECKING:
    from krea_cli.downloads.output_target import FilenameFields, OutputTarget
    from krea_cli.operations.batch_submit import BatchSubmission

# Enough for the looks that results may come late for.
LACKING_SECONDS = 30.0


class JobCollection:
    """
    Jobs on their way to files, *errors* as they came about: those that are there, or
    those that *sending* makes, with its errors.
    """

    def __init__(
        self,
        session: CliContext,
        jobs: Sequence[Job] = (),
        errors: Sequence[KreaError] = (),
        *,
        sending: BatchSubmission | None = None,
    ) -> None:
        self.errors = list(errors)
        self._session = session
        self._sending = sending
        self._waiting = Poller(session, jobs, self.errors, sending=sending)
        session.is_for_several = self._waiting.count > 1

    @property
    def jobs(self) -> list[Job]:
        return self._waiting.jobs

    def wait(
        self,
        *,
        deadline: float,
        target: OutputTarget | None = None,
        naming: FilenameFields | None = None,
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
        saving = ResultSaver(self._session, target, naming) if target else None
        try:
            self._wait(deadline, saving, is_one_enough=is_one_enough)
        except KreaError:
            if saving and saving.saved:
                found = (saving.saved.get(job.job_id) for job in self.jobs)
                jobs = [job for job in found if job and job.files]
                told = [JobSaved(job) for job in jobs]
                if lost := unwritten_results.tell(self._session, jobs, told):
                    self._session.report(lost)
            raise

    def _wait(
        self, deadline: float, saving: ResultSaver | None, *, is_one_enough: bool
    ) -> None:
        waiting, sending = self._waiting, self._sending
        early = None if is_one_enough else saving
        with saving.crew if saving else nullcontext():
            waiting.poll(deadline=deadline, saving=early, is_one_enough=is_one_enough)
            while sending and sending.is_unconfirmed:
                sending.settle()
                waiting.poll(deadline=deadline, saving=early)
            if is_one_enough:
                self._keep_ended()
            for job in self.jobs:
                if job.is_final and job.status != "completed":
                    self._session.settle(job.job_id, has_result=False)
            if saving:
                self._finish(saving)

    def save(self, target: OutputTarget) -> None:
        """
        Save the results of the jobs that are completed; those that lack one are looked
        at again (hazard L10).
        """
        saving = ResultSaver(self._session, target, None)
        deadline = self._session.clock.now() + LACKING_SECONDS
        self._waiting.poll(deadline=deadline, lacks_result=True)
        with saving.crew:
            self._finish(saving)

    def _finish(self, saving: ResultSaver) -> None:
        jobs, waiting = self.jobs, self._waiting
        with self._session.out.progress() as progress:
            saving.finish(jobs, progress, several=waiting.count > 1)
        for job in jobs:
            if saved := saving.saved.get(job.job_id):
                waiting.see(saved)
                self._look_at(saved, saving)

    def _look_at(self, saved: Job, saving: ResultSaver) -> None:
        if exc := saving.failed.get(saved.job_id):
            self.errors.append(_with_way_out(exc, saved))
            return
        if lacking := saving.lacking.get(saved.job_id):
            self.errors.append(_with_way_out(lacking, saved))
        if unsaved := job_errors.unsaved(saved):
            self.errors.append(unsaved)
        for sentence in saving.remarks(saved):
            self._session.out.warn(sentence)
        if unmet := self._session.unmet(saved):
            self.errors.append(job_errors.unexpected(saved, unmet))

    def _keep_ended(self) -> None:
        """
        The others go on, which is no failure as long as there is one that ended.
        """
        final = [job for job in self.jobs if job.is_final]
        # Of those that lack a result it may still come.
        ended = [job for job in final if not job.lacks_result] or final
        if ended:
            passing = (ServiceError, WaitTimeoutError)
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
        return WaitTimeoutError(
            f"No job was final in time: {where}.",
            hint=Step(Action.WAIT_FOR_FIRST, tuple(ids)),
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
        collect = self._session.next_steps.wait
        if self._sending:
            self.errors[:0] = self._sending.errors
        told = [result(job, collect([job.job_id])) for job in self.jobs]
        lost = unwritten_results.tell(self._session, self.jobs, told)
        troubled = {error.job_id for error in self.errors}
        for job in self.jobs if waits else ():
            if job.job_id in troubled:
                continue
            if error := job_errors.failure(job):
                self.errors.append(error)
        if lost:
            unwritten_results.give_up(self._session, self.jobs, self.errors, lost)
        # All is said of these jobs, so nobody needs to be reminded of them.
        self._session.pending.clear()
        self._session.untold.clear()
        if preview:
            preview(self.jobs)
        unreported = github_step.report(
            self._session, self.jobs, is_paid=self._sending is not None
        )
        if unreported and self.errors:
            self._session.report(unreported)
        failed = {error.job_id for error in self.errors}
        job_errors.check(
            self.errors, succeeded=sum(job.job_id not in failed for job in self.jobs)
        )
        if unreported:
            raise unreported


def _with_way_out(error: KreaError, job: Job) -> KreaError:
    """
    An error that costs nothing to overcome: the job is paid for and kept.
    """
    return error.but(*_ways_out(error, job), job_id=job.job_id)


def _ways_out(error: KreaError, job: Job) -> Iterator[Step]:
    # What could not be converted is there all the same.
    is_there = isinstance(error, ConversionError) and len(job.files) == len(job.urls)
    if error.exit_code != ExitCode.STORAGE or is_there:
        return
    if isinstance(error, TooLargeError):
        size = [] if error.size_bytes is None else [str(error.size_bytes)]
        yield Step(Action.DOWNLOAD_LARGER, (job.job_id, *size))
    elif not isinstance(error, DownloadError):
        # Where the place was the trouble, it would be so again.
        yield Step(Action.DOWNLOAD_ELSEWHERE, (job.job_id,))
    elif isinstance(error, UnsupportedResultError):
        return  # its hint has the URL
    elif error.is_lasting:
        yield Step(Action.SHOW_URLS, (job.job_id,))
    else:
        yield Step(Action.DOWNLOAD, (job.job_id,))
