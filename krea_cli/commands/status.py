"""
`krea status`.
"""

from __future__ import annotations

from krea_cli import options
from krea_cli.jobs import outcome
from krea_cli.one_by_one import look
from krea_cli.output.results import JobStatus
from krea_cli.session import Session


def status(session: Session, jobs: options.Jobs = None) -> None:
    """
    Show where jobs are.

    \b
    Examples:
      krea status
      krea status @last --json
    """
    found, errors = look(session, session.select(jobs))

    session.out.result([JobStatus(job) for job in found])
    outcome.check(errors, succeeded=len(found))
