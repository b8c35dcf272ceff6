"""
`krea download`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from krea_cli import options
from krea_cli.output.results import JobSaved
from krea_cli.session import Session
from krea_cli.work import github, showing
from krea_cli.work.collection import Collection
from krea_cli.work.one_by_one import look


def download(
    session: Session, delivery: options.DeliveryOptions, jobs: options.Jobs = None
) -> None:
    """
    Save the results of completed jobs.

    \b
    Example:
      krea download @last -o results/
    """
    if delivery.github:
        github.begin(session)
    if delivery.output is None:
        delivery = replace(delivery, output=session.settings.output)
    session.deliver(delivery, saves=True)
    job_ids = session.select(jobs)
    session.check_sidecars(job_ids)
    # A name that is taken may be taken by the very result.
    target = session.target(count=len(job_ids), force=True)
    session.take(*job_ids)

    found = Collection(session, *look(session, job_ids))
    found.save(target)

    shown = partial(showing.preview, session, wanted=delivery.preview)
    found.tell(JobSaved, preview=shown)
