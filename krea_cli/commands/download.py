"""
`krea download`.
"""

from __future__ import annotations

from dataclasses import replace

from krea_cli.cli import collaborators, options
from krea_cli.cli.context import CliContext
from krea_cli.operations.collect import JobCollection
from krea_cli.operations.fetch_jobs import fetch_jobs
from krea_cli.output.results.jobs import JobSaved


@options.takes_output_setting
def download(
    ctx: CliContext, delivery: options.DeliveryOptions, jobs: options.Jobs = None
) -> None:
    """
    Save the results of completed jobs.

    \b
    Example:
      krea download @last -o results/
    """
    step = collaborators.github_step(ctx)
    default = delivery
    if default.output is None:
        default = replace(default, output=ctx.settings.output)
    planner = collaborators.output_planner(ctx, default)
    planner.check_expectations(saves=True)
    job_ids = ctx.resolve_jobs(jobs)
    collaborators.name_run(ctx, job_ids, is_remembered=delivery.output is None)
    saver = collaborators.saver_of_runs(ctx, delivery, job_ids, default=default)
    ctx.tracker.requested(*job_ids)

    found, errors = fetch_jobs(ctx.jobs, job_ids, clock=ctx.clock)
    collection = JobCollection(
        collaborators.collect_context(
            ctx, planner, unmet=saver.unmet if saver else None
        ),
        found,
        errors,
    )
    preview = collaborators.previewer(ctx, wanted=delivery.preview)
    if saver:
        collection.save(saver)

    collection.report(
        JobSaved,
        preview=preview,
        hand_on=collaborators.hand_on(step, is_paid=False),
    )
