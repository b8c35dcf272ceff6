"""
Fetch or cancel several jobs, one after the other.

An error with one job does not stop the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from krea_cli.errors import (
    Action,
    JobAlreadyFinishedError,
    JobDeletedError,
    JobNotVisibleYetError,
    KreaError,
    NoTokenError,
    ServiceError,
    Step,
    UnknownJobError,
    UsageError,
    WaitTimeoutError,
)
from krea_cli.jobs import job_errors
from krea_cli.jobs.polling import MAX_SINGLE_POLLS

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.jobs.job_service import JobService
    from krea_cli.output.console import Console
    from krea_cli.runtime.clock import Clock

# A job may appear up to half a minute after it was submitted.
APPEARING_SECONDS, APPEARING_TRIES = 2.0, 15


def fetch_jobs(
    service: JobService,
    job_ids: Sequence[str],
    *,
    clock: Clock,
    deadline: float | None = None,
) -> tuple[list[Job], list[KreaError]]:
    """
    Fetch each job. Return the jobs, and an error for each one that cannot be fetched.
    """
    jobs: list[Job] = []
    errors: list[KreaError] = []
    listed = _listed(service, job_ids, deadline)
    for job_id in job_ids:
        if job_id in listed:
            jobs.append(listed[job_id])
            continue
        if jobs and deadline is not None and clock.now() >= deadline:
            late = WaitTimeoutError(f"Timed out before job {job_id} was checked.")
            errors.append(_with_step(late, job_id, Action.CHECK_AGAIN))
            continue
        try:
            jobs.append(_fetch(service, job_id, clock, deadline))
        except (ServiceError, UsageError, JobDeletedError) as exc:
            errors.append(_with_step(exc, job_id, Action.CHECK_AGAIN))
    return jobs, errors


def _listed(
    service: JobService, job_ids: Sequence[str], deadline: float | None
) -> dict[str, Job]:
    """
    Fetch many jobs with list requests.

    Return nothing if there are only a few jobs, or the list is unavailable.
    """
    if len(job_ids) <= MAX_SINGLE_POLLS:
        return {}
    with suppress(ServiceError, UsageError):
        return service.fetch_many(job_ids, deadline=deadline)
    return {}


def _fetch(
    service: JobService, job_id: str, clock: Clock, deadline: float | None
) -> Job:
    """
    Fetch a job, waiting for it to appear if necessary.
    """
    for _ in range(APPEARING_TRIES):
        try:
            return service.fetch(job_id, deadline=deadline)
        except JobNotVisibleYetError:
            if deadline and clock.now() + APPEARING_SECONDS > deadline:
                raise
            clock.sleep(APPEARING_SECONDS)
    return service.fetch(job_id, deadline=deadline)


def errors_of_unfinished(jobs: Sequence[Job]) -> list[KreaError]:
    """
    Return the error that `wait` would report for each job without a result.
    """
    return [error for job in jobs if (error := job_errors.job_error(job))]


def cancel_jobs(
    service: JobService,
    job_ids: Sequence[str],
    *,
    console: Console,
    skips_finished: bool = False,
) -> tuple[list[Job], list[KreaError]]:
    """
    Cancel each job.

    Return the resulting jobs, and an error for each one that was not cancelled. Stop if
    no token is usable. With `skips_finished`, a finished job is not an error if another
    one is cancelled.
    """
    jobs: list[Job] = []
    errors: list[KreaError] = []
    for job_id in job_ids:
        try:
            with console.progress() as progress:
                progress.doing("Cancelling")
                job = service.cancel(job_id)
        except KreaError as exc:
            errors.append(_with_step(exc, job_id, Action.CANCEL))
            if isinstance(exc, NoTokenError):
                break
            continue
        jobs.append(job)
        if error := job_errors.cancellation_error(job):
            errors.append(error)
    if skips_finished and any(job.status == "cancelled" for job in jobs):
        errors = [e for e in errors if not isinstance(e, JobAlreadyFinishedError)]
    return jobs, errors


def with_wait_command(error: KreaError, job_id: str) -> KreaError:
    """
    Add a hint to keep waiting, because the job may still be running.
    """
    return _with_step(error, job_id, Action.KEEP_WAITING)


def _with_step(error: KreaError, job_id: str, action: Action) -> KreaError:
    is_lost = isinstance(error, (UnknownJobError, JobDeletedError, NoTokenError))
    steps = [] if is_lost else [Step(action, (job_id,))]
    return error.but(*steps, job_id=job_id)
