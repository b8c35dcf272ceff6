"""
`krea status`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from krea_cli.cli import options
from krea_cli.cli.context import CliContext
from krea_cli.jobs import job_errors
from krea_cli.operations.fetch_jobs import errors_of_unfinished, fetch_jobs
from krea_cli.output.results.jobs import JobStatus


def status(
    ctx: CliContext,
    jobs: options.Jobs = None,
    exit_status: Annotated[
        bool,
        typer.Option(
            "--exit-status", help="Exit like wait: 3 failed, 8 running, 10 cancelled."
        ),
    ] = False,
) -> None:
    """
    Show the status of jobs.

    Exits with 0 for any status; with --exit-status like `krea wait`: 3 failed, 8 still
    running, 10 cancelled, 9 only some completed.

    \b
    Examples:
      krea status @last --json
      krea status @last --exit-status
    """
    found, errors = fetch_jobs(ctx.jobs, ctx.resolve_jobs(jobs), clock=ctx.clock)

    ctx.console.result([JobStatus(job) for job in found])
    endings = errors_of_unfinished(found) if exit_status else []
    job_errors.raise_errors([*errors, *endings], succeeded=len(found) - len(endings))
