"""
Explain a job id that the service does not know.
"""

from __future__ import annotations

from krea_cli.api.models import Job
from krea_cli.errors import JobDeletedError, JobNotVisibleYetError, UnknownJobError
from krea_cli.journal.record import Record

NEW_SECONDS = 30.0


def explain_missing(
    unknown: UnknownJobError, record: Record | None, *, now: float
) -> Job:
    """
    Return the job if it was cancelled: the service may delete such jobs. *record* is
    its record in the journal, and *now* the wall clock.

    Raises:
        UnknownJobError: the journal does not know it either: *unknown* itself.
        JobNotVisibleYetError: it was submitted within the last 30 s, and may appear.
        JobDeletedError: it was submitted before that.
    """
    if record is None or record.job_id is None:
        raise unknown
    job_id = record.job_id
    if record.state == "cancelled":
        return Job(job_id=job_id, status="cancelled")
    # A clock that was set meanwhile must not make a job new for hours.
    if abs(now - record.sent_at) < NEW_SECONDS:
        raise JobNotVisibleYetError(
            f"Job {job_id} was submitted but is not visible yet.", job_id=job_id
        ) from unknown
    raise JobDeletedError(
        f"Job {job_id} no longer exists at Krea.",
        hint="It may have been deleted. Check again later, or on krea.ai.",
        job_id=job_id,
    ) from unknown
