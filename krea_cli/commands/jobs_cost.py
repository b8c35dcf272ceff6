"""
`krea jobs cost`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from krea_cli.cli.context import CliContext
from krea_cli.journal import costs
from krea_cli.operations import list_records
from krea_cli.operations.resolve_unconfirmed import (
    note_other_service,
    warn_unconfirmed,
)
from krea_cli.output.human.format_text import dollars
from krea_cli.output.results.costs import CostRow


def cost(
    ctx: CliContext,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only jobs of the last 12h or 7d, or since 2026-11-20.",
        ),
    ] = None,
    by: Annotated[
        Literal["day", "model", "status"] | None,
        typer.Option(
            "--by",
            metavar="GROUP",
            help="Group by day, model or status.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """
    Add up the estimated costs of the jobs in the journal.

    Failed and cancelled jobs are not billed, so they cost nothing. Jobs that may
    still be running are included. Unconfirmed requests, which may be billed, are
    listed separately.

    \b
    Examples:
      krea jobs cost --since 30d
      krea jobs cost --by day
    """
    begin = list_records.parse_time(since, "--since", now=ctx.clock.wall())
    found = ctx.history.costs(since=begin)
    total = costs.total(found)
    groups = costs.grouped(found, by) if by else [total]
    ctx.console.result([CostRow(group, by) for group in groups])
    if not total.jobs:
        ctx.console.note("No jobs in this period." if since else "No jobs yet.")
        note_other_service(ctx.history, ctx.console)
    if by and len(groups) > 1:
        ctx.console.note(f"Total estimate: {dollars(total.estimated_usd)}.")
    if ctx.service.is_sandbox:
        ctx.console.note("Jobs of the sandbox cost nothing.")
    elif total.jobs or total.unconfirmed:
        ctx.console.note("All amounts are estimates; your bill may differ.")
    if total.unpriced:
        jobs = "1 job" if total.unpriced == 1 else f"{total.unpriced} jobs"
        ctx.console.note(f"Not included: {jobs} without a known price.")
    warn_unconfirmed(ctx.history, ctx.console, ctx.next_steps)
