"""
`krea wait`.
"""

from __future__ import annotations

from krea_cli import options
from krea_cli.collection import Collection
from krea_cli.output.results import JobSaved, JobStatus
from krea_cli.session import Session


def wait(
    session: Session,
    jobs: options.Jobs = None,
    output: options.Output = None,
    timeout: options.Timeout = None,
    force: options.Force = False,
) -> None:
    """
    Wait until jobs are final; with -o, save their results.

    Example: krea wait @last -o results/
    """
    deadline = session.deadline(timeout)
    job_ids = session.select(jobs)
    saves = output is not None
    target = session.target(output, count=len(job_ids), force=force) if saves else None
    session.pending[:] = job_ids

    seen = [session.look(job_id, deadline=deadline) for job_id in job_ids]
    found = Collection(session, seen, output=output)
    found.wait(deadline=deadline)
    if target:
        found.save(target, session.naming, force=force)

    found.tell(JobSaved if target else JobStatus)
