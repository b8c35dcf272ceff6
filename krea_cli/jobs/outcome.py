"""
How jobs ended, as the errors that they are for a script.
"""

from __future__ import annotations

from collections.abc import Sequence

from krea_cli.api.resources import Job
from krea_cli.errors import (
    JobCancelledError,
    JobFailedError,
    KreaError,
    SeveralError,
    StillRunningError,
)


def failure(job: Job, *, collect: str) -> KreaError | None:
    """
    Why there is no result, None for a completed job.  *collect* is the command that
    goes on with a running one.
    """
    job_id = job.job_id
    if job.status == "completed":
        return None
    if job.status == "failed":
        reason = job.error.message if job.error else "the service gives no reason"
        code = f" ({job.error.code})" if job.error and job.error.code else ""
        return JobFailedError(
            f"Job {job_id} failed: {reason[:500]}{code}.",
            hint="A failed job is not billed.",
            job_id=job_id,
        )
    if job.status == "cancelled":
        return JobCancelledError(
            f"Job {job_id} was cancelled.",
            hint="A cancelled job is not billed.",
            job_id=job_id,
        )
    strange = "" if job.is_known else ", a status that this version does not know"
    return StillRunningError(
        f"Job {job_id} is still {job.status!r}{strange}.",
        hint=f"Collect it with: {collect}",
        job_id=job_id,
    )


def check(errors: Sequence[KreaError], *, succeeded: int) -> None:
    """
    Raises:
        KreaError: the one error there is.
        SeveralError: several, or one beside successes.
    """
    if not errors:
        return
    if len(errors) == 1 and not succeeded:
        raise errors[0]
    raise SeveralError(errors, succeeded=succeeded)
