"""
What it means that the service knows no job of that id.
"""

from __future__ import annotations

from krea_cli.api.models import Job
from krea_cli.errors import JobDeletedError, JobNotVisibleYetError, UnknownJobError
from krea_cli.journal.record import Record

NEW_SECONDS = 30.0


def missing(unknown: UnknownJobError, record: Record | None, *, now: float) -> Job:
    """
    The job when it was cancelled, as the service may delete what is; *record* is what
    the journal has of it, *now* the wall clock (hazard L5).

    Raises:
        UnknownJobError: nobody knows it: *unknown* itself.
        NotShownError: it was taken within the last 30 s, and may appear.
        JobGoneError: it was taken before that, and will not.
    """
    if record is None or record.job_id is None:
        raise unknown
    job_id = record.job_id
    if record.state == "cancelled":
        return Job(job_id=job_id, status="cancelled")
    # A clock that was set since then must not make a job new for hours.
    if abs(now - record.sent_at) < NEW_SECONDS:
        raise JobNotVisibleYetError(
            f"The service took job {job_id}, and does not show it yet.", job_id=job_id
        ) from unknown
    raise JobDeletedError(
        f"The service took job {job_id}, and knows it no more.",
        hint="It may have been deleted. Look again later, or on krea.ai.",
        job_id=job_id,
    ) from unknown
