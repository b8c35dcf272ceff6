"""
`krea cancel`.
"""

from __future__ import annotations

from krea_cli import options
from krea_cli.jobs import outcome
from krea_cli.output.results import JobStatus
from krea_cli.session import Session
from krea_cli.work.one_by_one import cancel as cancel_each


def cancel(session: Session, jobs: options.Jobs = None) -> None:
    """
    Cancel jobs that have not ended; those are not billed.

    \b
    Example:
      krea cancel @last
    """
    found, errors = cancel_each(session, session.select(jobs))

    session.out.result([JobStatus(job) for job in found])
    cancelled = sum(job.status == "cancelled" for job in found)
    if cancelled:
        session.out.note("Cancelled jobs are not billed.")
    outcome.check(errors, succeeded=cancelled)
