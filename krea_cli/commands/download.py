"""
`krea download`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from krea_cli.cli import options
from krea_cli.cli.context import CliContext
from krea_cli.operations import github_step
from krea_cli.operations import preview as showing
from krea_cli.operations.collect import JobCollection
from krea_cli.operations.fetch_jobs import fetch_jobs
from krea_cli.output.results.jobs import JobSaved


def download(
    session: CliContext, delivery: options.DeliveryOptions, jobs: options.Jobs = None
) -> None:
    """
    Save the results of completed jobs.

    \b
    Example:
      krea download @last -o results/
    """
    if delivery.github:
        github_step.begin(session)
    if delivery.output is None:
        delivery = replace(delivery, output=session.settings.output)
    session.deliver(delivery, saves=True)
    job_ids = session.select(jobs)
    session.check_sidecars(job_ids)
    # A name that is taken may be taken by the very result.
    target = session.target(count=len(job_ids), force=True)
    session.take(*job_ids)

    found = JobCollection(session, *fetch_jobs(session, job_ids))
    found.save(target)

    shown = partial(showing.preview, session, wanted=delivery.preview)
    found.tell(JobSaved, preview=shown)
