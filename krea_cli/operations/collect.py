"""
Wait for jobs, save their results, and report them.

An error with one job does not stop the others: it is raised after everything is
reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from krea_cli.errors import (
    Action,
    ConversionError,
    DownloadError,
    ExitCode,
    JobDeletedError,
    KreaError,
    ServiceError,
    Step,
    StorageError,
    TooLargeError,
    UnknownJobError,
    UnsupportedResultError,
    WaitTimeoutError,
)
from krea_cli.jobs import job_errors
from krea_cli.operations.wait import JobWait, WaitContext
from krea_cli.output.human.format_text import duration
from krea_cli.output.progress import StatusCounts
from krea_cli.output.results.jobs import JobSaved, Result

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.operations.batch_submit import BatchSubmission
    from krea_cli.operations.save import Saver

# How long to poll for result URLs that are published late.
LATE_RESULT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectContext(WaitContext):
    """
    The collaborators of a collection.

    `review` returns remarks about the files of a job, which are shown as warnings.
    `unmet` returns a sentence for each unmet expectation. `wait_command` spells the
    command that collects jobs. `report_error` shows an error with its hints.
    """

    review: Callable[[Job], Sequence[str]]
    unmet: Callable[[Job], Sequence[str]]
    wait_command: Callable[[Sequence[str]], str]
    report_error: Callable[[KreaError], object]


class JobCollection:
    """
    Jobs whose results are being collected.

    These are `jobs` with the `errors` met so far, or the ones that `submission`
    produces, with its errors.
    """

    def __init__(
        self,
        context: CollectContext,
        jobs: Sequence[Job] = (),
        errors: Sequence[KreaError] = (),
        *,
        submission: BatchSubmission | None = None,
    ) -> None:
        self.errors = list(errors)
        self._context = context
        self._console = context.console
        self._tracker = context.tracker
        self._submission = submission
        self._wait = JobWait(context, jobs, self.errors, submission=submission)
        self._began = context.clock.now()
        self._waited: float | None = None
        context.tracker.expect(self._wait.count)
        for job in jobs:
            context.tracker.submitted(job.job_id)
            if job.status == "completed":
                context.tracker.completed(job.job_id)

    @property
    def jobs(self) -> list[Job]:
        return self._wait.jobs

    def wait(
        self,
        *,
        deadline: float,
        saver: Saver | None = None,
        is_one_enough: bool = False,
    ) -> None:
        """
        Poll just-fetched jobs until all have finished or `deadline` has passed.

        If there is a `saver`, results are saved meanwhile. With `is_one_enough`, stop
        when one job has finished; only finished jobs are kept and saved.

        Raises:
            KreaError: an error that would affect every poll. Results saved until then
                are reported.
        """
        try:
            self._wait_and_save(deadline, saver, is_one_enough=is_one_enough)
            self._waited = self._context.clock.now() - self._began
        except KreaError:
            if saver and saver.saved:
                found = (saver.saved.get(job.job_id) for job in self.jobs)
                jobs = [job for job in found if job and job.files]
                if lost := self._show(jobs, [JobSaved(job) for job in jobs]):
                    self._context.report_error(lost)
            raise

    def _wait_and_save(
        self, deadline: float, saver: Saver | None, *, is_one_enough: bool
    ) -> None:
        wait, submission = self._wait, self._submission
        early = None if is_one_enough else saver
        saves = saver is not None
        counts = StatusCounts(wait.count, saves=saves, began=self._began)
        with saver.pool if saver else nullcontext():
            wait.poll(
                deadline=deadline,
                counts=counts,
                saver=early,
                is_one_enough=is_one_enough,
            )
            while submission and submission.has_unconfirmed:
                submission.resolve()
                wait.poll(deadline=deadline, counts=counts, saver=early)
            if is_one_enough:
                self._keep_finished()
            for job in self.jobs:
                if job.is_final and job.status != "completed":
                    self._tracker.ended_without_result(job.job_id)
            if saver:
                self._finish(saver, counts)

    def save(self, saver: Saver) -> None:
        """
        Save the results of completed jobs.

        Completed jobs without result URLs are polled for up to half a minute.
        """
        deadline = self._context.clock.now() + LATE_RESULT_SECONDS
        counts = StatusCounts(self._wait.count, saves=True, began=self._began)
        self._wait.poll(deadline=deadline, counts=counts, lacks_result=True)
        with saver.pool:
            self._finish(saver, counts)

    def _finish(self, saver: Saver, counts: StatusCounts) -> None:
        jobs = self.jobs
        with self._console.progress() as progress:
            counts.expect(self._wait.remaining_count)
            progress.counts(counts)
            for job in jobs:
                counts.update(job)
            saver.finish(jobs, progress, is_batch=self._wait.count > 1)
        for job in jobs:
            if saved := saver.saved.get(job.job_id):
                self._wait.update(saved)
                self._review(saved, saver)

    def _review(self, saved: Job, saver: Saver) -> None:
        if exc := saver.failed.get(saved.job_id):
            self.errors.append(_with_recovery_steps(exc, saved))
            return
        if exc := saver.without_sidecar.get(saved.job_id):
            self.errors.append(_with_recovery_steps(exc, saved))
        if unsaved := job_errors.unsaved_results_error(saved):
            self.errors.append(unsaved)
        for remark in self._context.review(saved):
            self._console.warn(remark)
        if unmet := self._context.unmet(saved):
            self.errors.append(job_errors.expectation_error(saved, unmet))

    def _keep_finished(self) -> None:
        """
        Drop the jobs that are still running. That is not an error if another has
        finished.
        """
        final = [job for job in self.jobs if job.is_final]
        # A completed job without result URLs may still get them.
        finished = [job for job in final if not job.lacks_result] or final
        if finished:
            passing = (ServiceError, WaitTimeoutError)
            self.errors[:] = [e for e in self.errors if not isinstance(e, passing)]
        failed = {error.job_id for error in self.errors}
        running = [j for j in self.jobs if j not in finished and j.job_id not in failed]
        if finished and running:
            ids = " ".join(job.job_id for job in running)
            self._console.note(f"Still running: {ids}")
        elif running:
            self.errors.append(_none_finished(running))
        self._wait.keep_only(finished)

    def report(
        self,
        result: Callable[[Job, str], Result],
        *,
        waits: bool = True,
        preview: Callable[[Sequence[Job]], object] | None = None,
        hand_on: Callable[[Sequence[Job]], StorageError | None] | None = None,
    ) -> None:
        """
        Report all jobs, then raise their errors.

        `result` builds the result from a job and the command that collects it. Then
        `preview` shows the jobs, and `hand_on` passes them to later steps of a
        workflow. If `waits` is false, jobs may still be running without an error.

        Raises:
            KreaError: there is a job without its result.
        """
        collect = self._context.wait_command
        if self._submission:
            self.errors[:0] = self._submission.errors
        unsaved = [job.job_id for job in self.jobs if not job.files]
        # Jobs that are left running are collected by one command.
        results = [
            result(
                job, "" if job.files else collect([job.job_id] if waits else unsaved)
            )
            for job in self.jobs
        ]
        lost = self._show(self.jobs, results)
        failed = {error.job_id for error in self.errors}
        for job in self.jobs if waits else ():
            if job.job_id not in failed and (error := job_errors.job_error(job)):
                self.errors.append(self._with_time(error))
        if lost:
            self._report_errors()
            raise lost
        self._tracker.reported()
        if preview:
            preview(self.jobs)
        not_handed_on = hand_on(self.jobs) if hand_on else None
        if not_handed_on and self.errors:
            self._context.report_error(not_handed_on)
        failed = {error.job_id for error in self.errors}
        job_errors.raise_errors(
            self.errors, succeeded=sum(job.job_id not in failed for job in self.jobs)
        )
        if not_handed_on:
            raise not_handed_on

    def _with_time(self, error: KreaError) -> KreaError:
        """
        Say how long this run has waited for a job that is still running.
        """
        if self._waited is None or not isinstance(error, WaitTimeoutError):
            return error
        return error.but(
            message=f"Timed out after {duration(self._waited)}. {error.message}"
        )

    def _show(
        self, jobs: Sequence[Job], results: Sequence[Result]
    ) -> StorageError | None:
        """
        Write the results to standard output.

        If it is closed or its disk is full, return an error that says where the files
        are.
        """
        try:
            self._console.result(results)
        except StorageError as exc:
            self._tracker.reported_saved()
            pending = self._tracker.summary().pending
            saved = [job for job in jobs if job.files and job.job_id not in pending]
            where = [
                f" Job {job.job_id} was saved: {', '.join(f.path for f in job.files)}."
                for job in saved
            ]
            job_id = saved[0].job_id if saved and not pending else exc.job_id
            return exc.but(message=exc.message + "".join(where), job_id=job_id)
        return None

    def _report_errors(self) -> None:
        """
        Report the errors of jobs before another error ends the run.

        Jobs without a result are marked as ended: nothing is left to collect.
        """
        for job in self.jobs:
            if job.is_final and (job.status != "completed" or job.lacks_result):
                self._tracker.ended_without_result(job.job_id)
        for each in self.errors:
            self._context.report_error(each)


def _none_finished(jobs: Sequence[Job]) -> KreaError:
    where = ", ".join(f"{job.job_id} is {job.status!r}" for job in jobs)
    ids = [job.job_id for job in jobs]
    return WaitTimeoutError(
        f"Timed out: no job has finished ({where}).",
        hint=Step(Action.WAIT_FOR_FIRST, tuple(ids)),
        job_id=ids[0] if len(ids) == 1 else None,
    )


def _with_recovery_steps(error: KreaError, job: Job) -> KreaError:
    """
    Add a hint for saving the result without paying again: Krea keeps it.
    """
    return error.but(*_recovery_steps(error, job), job_id=job.job_id)


def _recovery_steps(error: KreaError, job: Job) -> Iterator[Step]:
    # A file that could not be converted is still saved.
    is_there = isinstance(error, ConversionError) and len(job.files) == len(job.urls)
    if error.exit_code != ExitCode.STORAGE or is_there:
        return
    if isinstance(error, TooLargeError):
        size = [] if error.size_bytes is None else [str(error.size_bytes)]
        yield Step(Action.DOWNLOAD_LARGER, (job.job_id, *size))
    elif not isinstance(error, DownloadError):
        # The same location would fail again.
        yield Step(Action.DOWNLOAD_ELSEWHERE, (job.job_id,))
    elif isinstance(error, UnsupportedResultError):
        return  # the error already has a hint with the URL
    elif isinstance(error.__cause__, JobDeletedError | UnknownJobError):
        return  # nothing is left to download
    elif error.is_lasting:
        yield Step(Action.SHOW_URLS, (job.job_id,))
    else:
        yield Step(Action.DOWNLOAD, (job.job_id,))
