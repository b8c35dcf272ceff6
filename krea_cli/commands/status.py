"""
`krea status`.
"""

from __future__ import annotations

from krea_cli import options
from krea_cli.errors import KreaError, UnknownJobError
from krea_cli.jobs import outcome
from krea_cli.output.results import JobStatus
from krea_cli.session import Session


def status(session: Session, jobs: options.Jobs = None) -> None:
    """
    Show where jobs are.

    Example: krea status @last
    """
    found, missing = [], list[KreaError]()
    for job_id in session.select(jobs):
        try:
            found.append(session.look(job_id))
        except UnknownJobError as exc:
            missing.append(exc)

    session.out.result([JobStatus(job) for job in found])
    outcome.check(missing, succeeded=len(found))
