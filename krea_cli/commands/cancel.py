"""
`krea cancel`.
"""

from __future__ import annotations

from krea_cli.cli import options
from krea_cli.cli.context import CliContext
from krea_cli.jobs import job_errors
from krea_cli.operations.fetch_jobs import cancel_jobs
from krea_cli.output.results.jobs import JobStatus


def cancel(ctx: CliContext, jobs: options.Jobs = None) -> None:
    """
    Cancel running jobs. Cancelled jobs are not billed.

    \b
    Example:
      krea cancel @last
    """
    found, errors = cancel_jobs(ctx.jobs, ctx.resolve_jobs(jobs), console=ctx.console)

    ctx.console.result([JobStatus(job) for job in found])
    cancelled = sum(job.status == "cancelled" for job in found)
    if cancelled:
        ctx.console.note("Cancelled jobs are not billed.")
    job_errors.check(errors, succeeded=cancelled)
