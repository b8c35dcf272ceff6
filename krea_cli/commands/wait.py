"""
`krea wait`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from krea_cli.cli import collaborators, options
from krea_cli.cli.context import CliContext
from krea_cli.errors import UsageError
from krea_cli.jobs.deadline import model_kinds
from krea_cli.operations.collect import JobCollection
from krea_cli.operations.fetch_jobs import fetch_jobs
from krea_cli.output.results.jobs import JobSaved, JobStatus, Result

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.operations.remembered_output import RememberedSaver


def wait(
    ctx: CliContext,
    delivery: options.DeliveryOptions,
    jobs: options.Jobs = None,
    timeout: options.Timeout = None,
    first: Annotated[
        bool,
        options.waiting_option(
            "--any", help="Stop when the first job finishes; save only its result."
        ),
    ] = False,
    no_download: Annotated[
        bool,
        options.output_option("--no-download", help="Save nothing."),
    ] = False,
    cancel_on_interrupt: options.CancelOnInterrupt = False,  # noqa: ARG001  (RunOptions)
) -> None:
    """
    Wait for jobs to finish, and save their results.

    Results go where -o says, or where `generate` was going to save them. Jobs that
    `generate` submitted without waiting and without -o are not saved.

    \b
    Examples:
      krea wait @last -o results/
      krea wait --any --timeout 1h
    """
    step = collaborators.github_step(ctx)
    started = ctx.clock.now()
    job_ids = ctx.resolve_jobs(jobs)
    planner = collaborators.output_planner(ctx, delivery)
    collaborators.name_run(ctx, job_ids, is_remembered=delivery.output is None)
    saver = _saver(ctx, delivery, job_ids, no_download=no_download)
    planner.check_expectations(saves=saver is not None)
    if delivery.sidecar and not saver:
        raise UsageError(
            "--sidecar needs saved results.", hint="Add -o, for example -o results/"
        )
    ctx.tracker.requested(*job_ids)

    found, errors = fetch_jobs(
        ctx.jobs,
        job_ids,
        clock=ctx.clock,
        deadline=collaborators.deadline(ctx, timeout),
    )
    ctx.tracker.submitted(*(job.job_id for job in found))
    if saver:
        # Fail early if a target file already exists.
        saver.check(found)
    kinds = (
        model_kinds(found, ctx.catalog.models) if any(j.model for j in found) else ()
    )
    collection = JobCollection(
        collaborators.collect_context(
            ctx, planner, unmet=saver.unmet if saver else None
        ),
        found,
        errors,
    )
    preview = collaborators.previewer(ctx, wanted=delivery.preview) if saver else None
    collection.wait(
        deadline=collaborators.deadline(ctx, timeout, kinds=kinds, since=started),
        saver=saver,
        is_one_enough=first,
    )

    saved = saver.job_ids if saver else set()

    def result(job: Job, collect: str) -> Result:
        return (JobSaved if job.job_id in saved else JobStatus)(job, collect)

    if not saver and not no_download:
        _note_download(ctx, collection.jobs)
    collection.report(
        result,
        preview=preview,
        hand_on=collaborators.hand_on(step, is_paid=False),
    )


def _saver(
    ctx: CliContext,
    delivery: options.DeliveryOptions,
    job_ids: Sequence[str],
    *,
    no_download: bool,
) -> RememberedSaver | None:
    if not no_download:
        return collaborators.saver_of_runs(ctx, delivery, job_ids)
    if delivery.output is not None:
        raise UsageError("Use either --no-download or -o, not both.")
    return None


def _note_download(ctx: CliContext, jobs: Sequence[Job]) -> None:
    """
    Name the command that saves the results, which this one does not.
    """
    completed = [job.job_id for job in jobs if job.status == "completed"]
    if completed:
        pronoun = "it" if len(completed) == 1 else "them"
        ctx.console.note(f"Save {pronoun}: {ctx.next_steps.save(completed)}")
