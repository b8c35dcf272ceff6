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
    output = delivery
    if output.output is None:
        output = replace(output, output=ctx.settings.output)
    planner = collaborators.output_planner(ctx, output)
    planner.check_expectations(saves=True)
    job_ids = ctx.resolve_jobs(jobs)
    collaborators.sidecar_writer(ctx, output).check(job_ids)
    # A name that is taken may be taken by the very result.
    target = planner.plan(count=len(job_ids), force=True)
    ctx.tracker.submitted(*job_ids)

    found, errors = fetch_jobs(ctx.jobs, job_ids, clock=ctx.clock)
    collection = JobCollection(
        collaborators.collect_context(ctx, planner), found, errors
    )
    preview = collaborators.previewer(ctx, wanted=delivery.preview)
    collection.save(collaborators.result_saver(ctx, target, output))

    collection.report(
        JobSaved,
        preview=preview,
        hand_on=collaborators.hand_on(step, is_paid=False),
    )
