"""
Explain a job id that the service does not know.
"""

from __future__ import annotations

from krea_cli.api.models import Job
from krea_cli.errors import JobDeletedError, JobNotVisibleYetError, UnknownJobError
from krea_cli.journal.record import Record

APPEARING_SECONDS = 30.0


def explain_missing(
    error: UnknownJobError, record: Record | None, *, now: float
) -> Job:
    """
    Return the job if the journal has it as cancelled: the service may delete such jobs.
    `record` is the job's record, and `now` is in seconds since the epoch.

    Raises:
        UnknownJobError: the journal does not know the job either. This is `error`.
        JobNotVisibleYetError: the job was submitted in the last 30 s, so it may appear.
        JobDeletedError: the job was submitted before that.
    """
    if record is None or record.job_id is None:
        raise error
    job_id = record.job_id
    if record.state == "cancelled":
        return Job(job_id=job_id, status="cancelled")
    # abs(), so that after the clock was set back a job does not count as new for hours.
    if abs(now - record.sent_at) < APPEARING_SECONDS:
        raise JobNotVisibleYetError(
            f"Job {job_id} was submitted but is not visible yet.", job_id=job_id
        ) from error
    raise JobDeletedError(
        f"Job {job_id} no longer exists at Krea.",
        hint="It may have been deleted. Look for it on krea.ai.",
        job_id=job_id,
    ) from error
