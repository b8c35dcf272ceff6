"""
Build the errors for jobs without the desired result.
"""

from __future__ import annotations

from collections.abc import Sequence

from krea_cli.api.models import MAX_RESULTS, Job
from krea_cli.errors import (
    Action,
    CombinedError,
    EmptyResultError,
    ExpectationFailedError,
    JobAlreadyFinishedError,
    JobCancelledError,
    JobFailedError,
    KreaError,
    Step,
    UnsavedResultsError,
    WaitTimeoutError,
)


def job_error(job: Job) -> KreaError | None:
    """
    Return the error for a job that has not completed with a result, else None.
    """
    job_id = job.job_id
    if job.lacks_result:
        return EmptyResultError(
            f"Job {job_id} completed without a result, probably because of the content "
            "filter.",
            hint="Change the prompt or image and generate again.",
            job_id=job_id,
        )
    if job.status == "completed":
        return None
    if job.status == "failed":
        return JobFailedError(
            f"Job {job_id} failed: {_reason(job)}.",
            hint="Failed jobs are not billed.",
            job_id=job_id,
        )
    if job.status == "cancelled":
        return JobCancelledError(
            f"Job {job_id} was cancelled.",
            hint="Cancelled jobs are not billed.",
            job_id=job_id,
        )
    return WaitTimeoutError(
        f"Job {job_id} has not finished (status: {_status(job)}).",
        hint=Step(Action.COLLECT, (job_id,)),
        job_id=job_id,
    )


def expectation_error(job: Job, unmet: Sequence[str]) -> KreaError:
    """
    Return the error for a job whose files do not meet --expect. `unmet` has a sentence
    for each expectation. The files stay on disk.
    """
    paths = ", ".join(file.path for file in job.files)
    return ExpectationFailedError(
        f"The result of job {job.job_id} did not pass --expect:",
        hint=f"The file was saved: {paths}",
        job_id=job.job_id,
        details=unmet,
    )


def unsaved_results_error(job: Job) -> KreaError | None:
    """
    Return the error for a job with more results than krea saves, else None.
    """
    rest = len(job.urls) - MAX_RESULTS
    if rest <= 0:
        return None
    return UnsavedResultsError(
        f"Job {job.job_id} has {len(job.urls):,} results, but krea saves at most "
        f"{MAX_RESULTS:,} of a job. The other {rest:,} were not saved.",
        hint=Step(Action.LIST_URLS, (job.job_id,)),
        job_id=job.job_id,
    )


def cancellation_error(job: Job) -> KreaError | None:
    """
    Return the error for a job whose cancellation did not succeed, else None.
    """
    job_id = job.job_id
    if job.status == "cancelled":
        return None
    if job.status == "completed":
        return JobAlreadyFinishedError(
            f"Job {job_id} had already completed, so it was not cancelled.",
            hint=Step(Action.DOWNLOAD_COMPLETED, (job_id,)),
            job_id=job_id,
        )
    if job.status == "failed":
        return JobAlreadyFinishedError(
            f"Job {job_id} had already failed: {_reason(job)}.",
            hint="Failed jobs are not billed.",
            job_id=job_id,
        )
    return WaitTimeoutError(
        f"Cancellation of job {job_id} was requested, but it has not ended yet "
        f"(status: {_status(job)}).",
        hint=Step(Action.CHECK_AGAIN, (job_id,)),
        job_id=job_id,
    )


def _reason(job: Job) -> str:
    """
    Return the service's reason for a failure, at most 500 characters, and its code.
    """
    reason = job.error.message.rstrip(".") if job.error else "Krea gives no reason"
    code = f" ({job.error.code})" if job.error and job.error.code else ""
    return f"{reason[:500]}{code}"


def _status(job: Job) -> str:
    if job.is_known:
        return job.status
    return f"{job.status!r}, which this version does not know"


def raise_errors(
    errors: Sequence[KreaError], *, succeeded: int, noun: str = "job"
) -> None:
    """
    Raise the errors of a run, if there are any.

    Raises:
        KreaError: the only error, if nothing succeeded.
        CombinedError: there are several errors, or successes, too.
    """
    if not errors:
        return
    if len(errors) == 1 and not succeeded:
        raise errors[0]
    raise CombinedError(errors, succeeded=succeeded, noun=noun)
