"""
What becomes of jobs: they are submitted, waited for, saved and told.

What goes wrong with one job does not stop the others; it is kept as an error until all
is told.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from krea_cli.api.resources import Job
from krea_cli.errors import (
    DownloadError,
    ExitCode,
    KreaError,
    ServiceError,
    StillRunningError,
    UnknownSubmissionError,
    UsageError,
)
from krea_cli.jobs import outcome
from krea_cli.jobs.checks import unexpected
from krea_cli.jobs.polling import poll
from krea_cli.output.results import Result
from krea_cli.session import Session

if TYPE_CHECKING:
    from krea_cli.jobs.request import Request
    from krea_cli.jobs.targets import Naming, Target


def submit(
    session: Session,
    request: Request,
    *,
    count: int,
    timeout: float | None,
    inline: bool,
) -> tuple[list[Job], list[KreaError], float]:
    """
    Send the request *count* times: the jobs, what went wrong, and the deadline.

    The first error ends it, as the next request would meet it, too (hazard B9); the
    jobs until then are kept.
    """
    submission = session.submission(inline=inline)
    with session.out.progress() as progress:
        progress.doing("preparing")
        submission.prepare(request)
        deadline = session.deadline(timeout, kinds=[request.model.kind])
        progress.doing("submitting")
        run, jobs = str(uuid.uuid4()), list[Job]()
        for _ in range(count):
            if jobs and session.clock.now() >= deadline:
                return jobs, [_too_late(len(jobs), count)], deadline
            try:
                job = submission.submit(request, run, session.pending.append)
            except KreaError as exc:
                return jobs, [exc], deadline
            if job.job_id in {known.job_id for known in jobs}:
                return jobs, [_told_twice(job)], deadline
            jobs.append(job)
    return jobs, [], deadline


def _too_late(sent: int, count: int) -> KreaError:
    return StillRunningError(
        f"The time was up when {sent} of {count} jobs were submitted; the others were "
        "not sent.",
        hint="Give more with --timeout, or submit them with --no-wait.",
    )


def _told_twice(job: Job) -> KreaError:
    return UnknownSubmissionError(
        f"The service gave two requests the same job {job.job_id}: it is unknown "
        "whether there is another, and it may be billed.",
        hint="Look at your jobs on krea.ai before you run this again.",
    )


def look(
    session: Session, job_ids: Sequence[str], *, deadline: float | None = None
) -> tuple[list[Job], list[KreaError]]:
    """
    Each job as it is now, and why one cannot be seen; the others are, all the same.
    """
    jobs, errors = list[Job](), list[KreaError]()
    for job_id in job_ids:
        if jobs and deadline is not None and session.clock.now() >= deadline:
            late = StillRunningError(f"Job {job_id} was not looked at in time.")
            errors.append(_with_next_look(session, late, job_id))
            continue
        try:
            jobs.append(session.look(job_id, deadline=deadline))
        except (ServiceError, UsageError) as exc:
            errors.append(_with_next_look(session, exc, job_id))
    return jobs, errors


def _with_next_look(session: Session, error: KreaError, job_id: str) -> KreaError:
    """
    An error about a job that may well go on, with the command that goes on with it.
    """
    error.job_id = job_id
    if not isinstance(error, UsageError):
        again = session.command("wait", job_id, "-o", session.output or ".")
        again = f"Go on with: {again}"
        error.hint = f"{error.hint} {again}" if error.hint else again
    return error


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

    def wait(self, *, deadline: float, pauses_first: bool = False) -> None:
        """
        Look at the jobs until all are final or *deadline* has passed.
        """
        seen = {job.job_id: job for job in self.jobs}
        with self._session.out.progress() as progress:
            for job in self.jobs:
                progress.seen(job)
            for job in poll(
                [job.job_id for job in self.jobs if not job.is_final],
                lambda job_id: self._session.look(job_id, deadline=deadline),
                deadline=deadline,
                clock=self._session.clock,
                give_up=self._give_up,
                pauses_first=pauses_first,
            ):
                seen[job.job_id] = job
                progress.seen(job)
        self.jobs = list(seen.values())
        for job in self.jobs:
            if job.is_final:
                self._session.ended(job)
            if job.is_final and job.status != "completed":
                self._settled(job)

    def save(
        self,
        target: Target,
        naming: Callable[[Job], Naming],
        *,
        force: bool,
        max_bytes: int | None = None,
    ) -> None:
        """
        Save the results of the completed jobs, under indexes that count from 1.
        """
        results = self._session.results(target, force=force, max_bytes=max_bytes)
        index = 1
        for at, job in enumerate(self.jobs):
            if job.status != "completed":
                continue
            try:
                with self._session.out.progress() as progress:
                    progress.doing("saving")
                    saved = results.save(
                        job, naming(job), first=index, several=len(self.jobs) > 1
                    )
            except KreaError as exc:
                self.errors.append(self._with_way_out(exc, job))
                # The journal may know of files from another time.
                self.jobs[at] = replace(job, files=())
                continue
            finally:
                index += len(job.urls)
            self.jobs[at] = saved
            self._settled(saved)
            self._session.ended(saved)
            for sentence in self._unexpected(saved):
                self._session.out.warn(sentence)

    def tell(self, result: Callable[[Job, str], Result], *, waits: bool = True) -> None:
        """
        Tell every job, as the *result* that it makes with the command that collects it,
        and then what went wrong.

        *waits* is false for jobs that nobody was to wait for: running is no failure.

        Raises:
            KreaError: there is a job without its result.
        """
        output = self._output or "."
        told = [result(job, self._command("wait", job, output)) for job in self.jobs]
        self._session.out.result(told)
        troubled = {error.job_id for error in self.errors}
        for job in self.jobs if waits else ():
            if job.job_id in troubled:
                continue
            collect = self._command("wait", job, output)
            error = outcome.failure(job, collect=collect)
            if error:
                self.errors.append(error)
        # All is said of these jobs, so nobody needs to be reminded of them.
        self._session.pending.clear()
        failed = {error.job_id for error in self.errors}
        outcome.check(
            self.errors, succeeded=sum(job.job_id not in failed for job in self.jobs)
        )

    def _unexpected(self, job: Job) -> list[str]:
        # Without a model there is nothing to read the catalogue for.
        return unexpected(job, self._session.catalogue.models) if job.model else []

    def _give_up(self, job_id: str, error: KreaError) -> None:
        self.errors.append(_with_next_look(self._session, error, job_id))

    def _settled(self, job: Job) -> None:
        """
        There is nothing left to collect of this job.
        """
        if job.job_id in self._session.pending:
            self._session.pending.remove(job.job_id)

    def _with_way_out(self, error: KreaError, job: Job) -> KreaError:
        """
        An error that costs nothing to overcome: the job is paid for and kept.
        """
        error.job_id = job.job_id
        if error.exit_code == ExitCode.STORAGE:
            # Where the place was the trouble, it would be so again.
            output = self._output if isinstance(error, DownloadError) else None
            collect = f"Collect it with: {self._command('download', job, output)}"
            error.hint = f"{error.hint} {collect}" if error.hint else collect
        return error

    def _command(self, name: str, job: Job, output: str | None) -> str:
        words = ["-o", output] if output else []
        return self._session.command(name, job.job_id, *words)
