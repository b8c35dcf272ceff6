"""
Results that standard output does not take: closed, or on a full disk (hazard S6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from krea_cli.api.models import Job
from krea_cli.cli.context import CliContext
from krea_cli.errors import KreaError, StorageError
from krea_cli.output.results.jobs import Result


def tell(
    session: CliContext, jobs: Sequence[Job], results: Sequence[Result]
) -> StorageError | None:
    """
    Tell the results of the jobs; when they are lost, the error that says so and where
    the files are.
    """
    try:
        session.out.result(results)
    except StorageError as exc:
        session.untold.clear()
        saved = [j for j in jobs if j.files and j.job_id not in session.pending]
        where = [
            f" Job {job.job_id} is saved: {', '.join(file.path for file in job.files)}."
            for job in saved
        ]
        job_id = saved[0].job_id if saved and not session.pending else exc.job_id
        return exc.but(message=exc.message + "".join(where), job_id=job_id)
    return None


def give_up(
    session: CliContext,
    jobs: Sequence[Job],
    errors: Sequence[KreaError],
    lost: StorageError,
) -> NoReturn:
    """
    Tell what went wrong with the jobs, and then what was lost.  Of those that failed
    there is nothing to collect.

    Raises:
        StorageError: always.
    """
    for job in jobs:
        if job.is_final and (job.status != "completed" or job.lacks_result):
            session.settle(job.job_id, has_result=False)
    for each in errors:
        session.report(each)
    raise lost
