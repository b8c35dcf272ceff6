"""
Several jobs, one after the other: looked at, or cancelled.

What goes wrong with one job does not stop the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from krea_cli.api.models import Job
from krea_cli.cli.context import CliContext
from krea_cli.errors import (
    Action,
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
from krea_cli.jobs.polling import MOST_LOOKS

# A job that was just taken is looked for in these steps, for half a minute at most.
APPEARING_SECONDS, APPEARING_LOOKS = 2.0, 15


def fetch_jobs(
    session: CliContext, job_ids: Sequence[str], *, deadline: float | None = None
) -> tuple[list[Job], list[KreaError]]:
    """
    Each job as it is now, and why one cannot be seen; the others are, all the same.
    """
    jobs, errors = list[Job](), list[KreaError]()
    seen = _listed(session, job_ids, deadline)
    for job_id in job_ids:
        if job_id in seen:
            jobs.append(seen[job_id])
            continue
        if jobs and deadline is not None and session.clock.now() >= deadline:
            late = WaitTimeoutError(f"Job {job_id} was not looked at in time.")
            errors.append(with_next_look(late, job_id))
            continue
        try:
            jobs.append(_look(session, job_id, deadline))
        except (ServiceError, UsageError, JobDeletedError) as exc:
            errors.append(with_next_look(exc, job_id))
    return jobs, errors


def _listed(
    session: CliContext, job_ids: Sequence[str], deadline: float | None
) -> dict[str, Job]:
    """
    What the service's list tells of the jobs, where they are many.
    """
    if len(job_ids) <= MOST_LOOKS:
        return {}
    with suppress(ServiceError, UsageError):
        return session.look_at_many(job_ids, deadline=deadline)
    return {}


def _look(session: CliContext, job_id: str, deadline: float | None) -> Job:
    """
    A look at a job that may have to appear first (hazard L5).
    """
    for _ in range(APPEARING_LOOKS):
        try:
            return session.look(job_id, deadline=deadline)
        except JobNotVisibleYetError:
            if deadline and session.clock.now() + APPEARING_SECONDS > deadline:
                raise
            session.clock.sleep(APPEARING_SECONDS)
    return session.look(job_id, deadline=deadline)


def unfinished(jobs: Sequence[Job]) -> list[KreaError]:
    """
    Why jobs are not completed, or have no result, as `wait` would tell it.
    """
    return [ending for job in jobs if (ending := job_errors.failure(job))]


def cancel(
    session: CliContext, job_ids: Sequence[str]
) -> tuple[list[Job], list[KreaError]]:
    """
    Each job as it is after it was to be cancelled, and why one is not; the others are
    asked to, all the same, unless the token is no good.
    """
    jobs, errors = list[Job](), list[KreaError]()
    for job_id in job_ids:
        try:
            with session.out.progress() as progress:
                progress.doing("cancelling")
                job = session.cancel(job_id)
        except KreaError as exc:
            errors.append(_with_next_step(exc, job_id, Action.CANCEL))
            if isinstance(exc, NoTokenError):
                break
            continue
        jobs.append(job)
        if error := job_errors.uncancelled(job):
            errors.append(error)
    return jobs, errors


def with_next_look(error: KreaError, job_id: str) -> KreaError:
    """
    An error about a job that may well go on, with the command that goes on with it.
    """
    return _with_next_step(error, job_id, Action.KEEP_WAITING)


def _with_next_step(error: KreaError, job_id: str, action: Action) -> KreaError:
    lost = isinstance(error, (UnknownJobError, JobDeletedError, NoTokenError))
    return error.but(*[] if lost else [Step(action, (job_id,))], job_id=job_id)
