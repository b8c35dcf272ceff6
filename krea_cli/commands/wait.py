"""
`krea wait`.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from krea_cli.cli import options
from krea_cli.cli.context import CliContext
from krea_cli.errors import UsageError
from krea_cli.operations import github_step
from krea_cli.operations import preview as showing
from krea_cli.operations.collect import JobCollection
from krea_cli.operations.fetch_jobs import fetch_jobs
from krea_cli.output.results.jobs import JobSaved, JobStatus


def wait(
    session: CliContext,
    delivery: options.DeliveryOptions,
    jobs: options.Jobs = None,
    timeout: options.Timeout = None,
    first: Annotated[
        bool,
        options.waiting_option(
            "--any", help="Only until one is; tell and save that one."
        ),
    ] = False,
    cancel_on_interrupt: options.CancelOnInterrupt = False,
) -> None:
    """
    Wait until jobs are final; with -o, save their results.

    \b
    Examples:
      krea wait @last -o results/
      krea wait --any --timeout 1h
    """
    if delivery.github:
        github_step.begin(session)
    started = session.clock.now()
    session.cancels_on_interrupt = cancel_on_interrupt
    job_ids = session.select(jobs)
    saves = delivery.output is not None
    session.deliver(delivery, saves=saves)
    if delivery.sidecar and not saves:
        raise UsageError("--sidecar is for saved results: name their place with -o.")
    session.check_sidecars(job_ids)
    target = session.target(count=len(job_ids), force=True) if saves else None
    session.take(*job_ids)

    seen, errors = fetch_jobs(session, job_ids, deadline=session.deadline(timeout))
    if target and not any(job.status == "completed" for job in seen):
        # What has a name now is not what a running job will give.
        target.check(count=len(job_ids), force=delivery.force)
    found = JobCollection(session, seen, errors)
    deadline = session.deadline(timeout, kinds=session.kinds(seen), since=started)
    found.wait(deadline=deadline, target=target, is_one_enough=first)

    shown = partial(showing.preview, session, wanted=delivery.preview)
    found.tell(JobSaved if target else JobStatus, preview=shown if target else None)
