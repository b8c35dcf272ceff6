"""
`krea cancel`.
"""

from __future__ import annotations

from collections.abc import Sequence

from krea_cli.cli import collaborators, options
from krea_cli.cli.context import CliContext
from krea_cli.errors import JobAlreadyFinishedError, KreaError
from krea_cli.jobs import job_errors
from krea_cli.jobs.job_refs import is_run_ref
from krea_cli.operations.fetch_jobs import cancel_jobs
from krea_cli.output.results.jobs import JobStatus


def cancel(ctx: CliContext, jobs: options.Jobs = None) -> None:
    """
    Cancel running jobs. Cancelled jobs are not billed.

    \b
    Example:
      krea cancel @last
    """
    job_ids = ctx.resolve_jobs(jobs)
    are_runs = all(map(is_run_ref, jobs or ()))
    collaborators.name_run(ctx, job_ids, is_remembered=True)
    found, errors = cancel_jobs(
        ctx.jobs,
        job_ids,
        console=ctx.console,
        skips_finished=are_runs,
    )

    ctx.console.result([JobStatus(job) for job in found])
    cancelled = sum(job.status == "cancelled" for job in found)
    if cancelled:
        ctx.console.note("Cancelled jobs are not billed.")
    finished = [job.job_id for job in found if job.status == "completed"]
    if are_runs and len(errors) > 1 and _have_finished(errors):
        raise JobAlreadyFinishedError(
            f"Nothing was cancelled: the {len(errors)} jobs had already finished.",
            hint=f"Save them: {ctx.next_steps.save(finished)}" if finished else None,
            job_id=job_ids[0],
        )
    if cancelled and finished:
        pronoun = "it" if len(finished) == 1 else "them"
        had = "1 job had" if len(finished) == 1 else f"{len(finished)} jobs had"
        ctx.console.note(
            f"{had} already completed. Save {pronoun}: {ctx.next_steps.save(finished)}"
        )
    job_errors.raise_errors(errors, succeeded=cancelled)


def _have_finished(errors: Sequence[KreaError]) -> bool:
    return all(isinstance(error, JobAlreadyFinishedError) for error in errors)
