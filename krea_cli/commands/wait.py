"""
`krea wait`.
"""

from __future__ import annotations

from typing import Annotated

from krea_cli.cli import collaborators, options
from krea_cli.cli.context import CliContext
from krea_cli.errors import UsageError
from krea_cli.jobs.deadline import kinds_of
from krea_cli.operations.collect import JobCollection
from krea_cli.operations.fetch_jobs import fetch_jobs
from krea_cli.output.results.jobs import JobSaved, JobStatus


def wait(
    ctx: CliContext,
    delivery: options.DeliveryOptions,
    jobs: options.Jobs = None,
    timeout: options.Timeout = None,
    first: Annotated[
        bool,
        options.waiting_option(
            "--any", help="Stop when the first job finishes; save only that."
        ),
    ] = False,
    cancel_on_interrupt: options.CancelOnInterrupt = False,  # noqa: ARG001  (RunOptions)
) -> None:
    """
    Wait for jobs to finish; with -o, save their results.

    \b
    Examples:
      krea wait @last -o results/
      krea wait --any --timeout 1h
    """
    step = collaborators.github_step(ctx)
    started = ctx.clock.now()
    job_ids = ctx.resolve_jobs(jobs)
    saves = delivery.output is not None
    planner = collaborators.output_planner(ctx, delivery)
    planner.check_expectations(saves=saves)
    if delivery.sidecar and not saves:
        raise UsageError(
            "--sidecar needs saved results.", hint="Add -o, for example -o results/"
        )
    collaborators.sidecar_writer(ctx, delivery).check(job_ids)
    target = planner.plan(count=len(job_ids), force=True) if saves else None
    ctx.tracker.submitted(*job_ids)

    found, errors = fetch_jobs(
        ctx.jobs,
        job_ids,
        clock=ctx.clock,
        deadline=collaborators.deadline(ctx, timeout),
    )
    if target and not any(job.status == "completed" for job in found):
        # Fail early if the target file already exists: jobs that are still running
        # cannot have created it.
        target.check(count=len(job_ids), force=delivery.force)
    kinds = kinds_of(found, ctx.catalog.models) if any(j.model for j in found) else ()
    collection = JobCollection(
        collaborators.collect_context(ctx, planner), found, errors
    )
    preview = collaborators.previewer(ctx, wanted=delivery.preview) if target else None
    collection.wait(
        deadline=collaborators.deadline(ctx, timeout, kinds=kinds, since=started),
        saver=collaborators.result_saver(ctx, target, delivery) if target else None,
        is_one_enough=first,
    )

    collection.report(
        JobSaved if target else JobStatus,
        preview=preview,
        hand_on=collaborators.hand_on(step, is_paid=False),
    )
