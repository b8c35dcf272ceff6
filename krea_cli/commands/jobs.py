"""
`krea jobs`: what was paid for, and what is in doubt.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from krea_cli.cli import collaborators, options
from krea_cli.cli.context import CliContext
from krea_cli.commands.jobs_cost import cost
from krea_cli.downloads.output_options import OutputOptions
from krea_cli.errors import KreaError, UsageError
from krea_cli.journal import corrupt_record
from krea_cli.operations import delete_records, list_records
from krea_cli.operations.collect import JobCollection
from krea_cli.operations.resolve_unconfirmed import (
    note_other_service,
    warn_unconfirmed,
    warn_unconfirmed_elsewhere,
)
from krea_cli.operations.spending_limit import SpendingLimit
from krea_cli.output.results.jobs import JobStatus, JobSubmitted
from krea_cli.output.results.records import (
    RecordDetails,
    RecordRow,
    RecordsDeleted,
    UnconfirmedRecord,
)

# What fits a screen.
USUAL = 20


def list_jobs(
    ctx: CliContext,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            parser=options.integer(1),
            help="Maximum number of jobs (default 20).",
            show_default=False,
        ),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="WORD", help="Only jobs with this status."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only jobs of the last 12h or 7d, or since 2026-11-20.",
        ),
    ] = None,
    remote: Annotated[
        bool,
        typer.Option("--remote", help="List the jobs at Krea instead of your journal."),
    ] = False,
) -> None:
    """
    List the jobs in your journal, newest first.

    \b
    Examples:
      krea jobs list --since 7d
      krea jobs list --remote --status completed
    """
    now = ctx.clock.wall()
    begin = list_records.parse_time(since, "--since", now=now)
    if remote:
        jobs = list_records.list_remote(
            lambda: ctx.connection.api,
            ctx.records,
            limit=limit or USUAL,
            state=status,
            since=begin,
        )
        ctx.console.result([JobStatus(job) for job in jobs])
        return
    most = limit or USUAL
    found = list_records.list_recorded(
        ctx.history, now=now, limit=most + 1, state=status, since=begin
    )
    ctx.console.result(
        [
            RecordRow(record=record, status=list_records.display_state(record, now=now))
            for record in found[:most]
        ]
    )
    if len(found) > most and limit is None:
        ctx.console.note(f"Showing the newest {most} (more: --limit N).")
    if not found:
        is_filtered = bool(status or since)
        ctx.console.note("No matching jobs." if is_filtered else "No jobs yet.")
        note_other_service(ctx.history, ctx.console)
    warn_unconfirmed(ctx.history, ctx.console, ctx.next_steps)


def show(ctx: CliContext, jobs: options.Jobs = None) -> None:
    """
    Show everything recorded about jobs.

    \b
    Example:
      krea jobs show @last
    """
    now = ctx.clock.wall()
    records = list_records.find_records(ctx.history, ctx.resolve_jobs, jobs)
    ctx.console.result(
        [
            RecordDetails(
                record=record, status=list_records.display_state(record, now=now)
            )
            for record in records
        ]
    )


def forget(
    ctx: CliContext,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[JOB]...",
            help="Job ids, their first 8 characters, @RUN or @last.",
            show_default=False,
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="TIME",
            help="All records older than 30d or 2026-11-20.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            "-f",
            help="Also delete records of running jobs and damaged ones.",
        ),
    ] = False,
) -> None:
    """
    Delete records and their prompts from your journal.

    Records of jobs that may still be running, unconfirmed requests and damaged records
    are kept.

    \b
    Example:
      krea jobs forget --older-than 30d
    """
    if bool(jobs) == (older_than is not None):
        raise UsageError("Specify jobs or --older-than TIME.")
    now = ctx.clock.wall()
    end = delete_records.parse_past_time(older_than, "--older-than", now=now)
    corrupt = delete_records.find_corrupt(
        partial(corrupt_record.find_corrupt_record, ctx.database, ctx.service.name),
        jobs or (),
        force=force,
    )
    others = [job for job in jobs or () if job not in corrupt]
    records = []
    if others:
        records = list_records.find_records(ctx.history, ctx.resolve_jobs, others)
    delete_records.check_deletable(records, now=now, allows_unfinished=force)
    if end is not None:
        records = delete_records.records_before(
            ctx.history, end, with_unfinished=force, console=ctx.console
        )

    ids = [each.record for each in records]
    count = ctx.history.delete(ids, unread=[*corrupt.values()])

    _report_forgotten(ctx, count)
    if end is not None:
        warn_unconfirmed(ctx.history, ctx.console, ctx.next_steps)


@options.takes_output_setting
def recover(
    ctx: CliContext,
    record: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECORD]",
            help="Id of an unconfirmed request, if there are several.",
            show_default=False,
        ),
    ] = None,
    adopt: Annotated[
        str | None,
        typer.Option(
            "--adopt", metavar="JOB", help="The job that Krea made for the request."
        ),
    ] = None,
    resubmit: Annotated[
        bool,
        typer.Option(
            "--resubmit", help="Submit the request again (may be billed twice)."
        ),
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete the record; submit nothing.")
    ] = False,
    max_cost: options.MaxCost = None,
    allow_unknown_cost: options.AllowUnknownCost = False,
) -> None:
    """
    Resolve unconfirmed requests, which may be billed.

    Without an option, shows each of them with the jobs that may belong to it.

    \b
    Example:
      krea jobs recover
    """
    if (adopt is not None) + resubmit + forget > 1:
        raise UsageError("Use only one of --adopt, --resubmit and --forget.")
    if max_cost is not None and not resubmit:
        raise UsageError("--max-cost needs --resubmit.")
    if adopt is None and not resubmit and not forget:
        _list_unconfirmed(ctx, record)
        return
    one = list_records.single_unconfirmed(ctx.history, record)
    if forget:
        # The claim comes first, so that nobody submits it again while it is closed.
        ctx.history.claim(one)
        _report_forgotten(ctx, ctx.history.close(one.record))
        return
    if adopt is not None:
        job_id = list_records.find_candidate(ctx.recovery, ctx.resolve_jobs, one, adopt)
        job = ctx.recovery.adopt(one, job_id)
    else:
        limit = SpendingLimit.of(
            max_cost, ctx.resolved_settings, allows_unknown=allow_unknown_cost
        )
        limit.check(one.cost_usd, model=one.model, can_change=False)
        deadline = collaborators.deadline(ctx, None)
        resubmit_once = partial(ctx.recovery.resubmit, one, deadline=deadline)
        resolver = collaborators.unconfirmed_resolver(ctx)
        job = resolver.submit(resubmit_once, deadline=deadline)
    collaborators.name_run(ctx, [job.job_id], is_remembered=True)
    planner = collaborators.output_planner(ctx, OutputOptions())
    collection = JobCollection(collaborators.collect_context(ctx, planner), [job])
    collection.report(JobSubmitted, waits=False)


def _list_unconfirmed(ctx: CliContext, beginning: str | None) -> None:
    """
    Show everything that is known, even when the service cannot be asked.
    """
    failure: KreaError | None = None
    records = list_records.find_unconfirmed(ctx.history, beginning)
    if not records:
        ctx.console.note("No unconfirmed requests.")
    warn_unconfirmed_elsewhere(ctx.history, ctx.console)
    for record in records:
        candidates = None
        if failure is None:
            try:
                candidates = ctx.recovery.candidates(record)
            except KreaError as exc:
                failure = exc
        ctx.console.result(
            [UnconfirmedRecord(record=record, status="unknown", candidates=candidates)]
        )
        if candidates is not None:
            resolver = collaborators.unconfirmed_resolver(ctx)
            resolver.warn_of_other_token(record)
            steps = resolver.recovery_steps(record, candidates)
            for way_out in ctx.next_steps.lines(steps):
                ctx.console.note(f"  {way_out}")
    if failure:
        raise failure


def _report_forgotten(ctx: CliContext, count: int) -> None:
    ctx.console.result([RecordsDeleted(count)])
    ctx.console.note(
        "Only records were deleted; your files and jobs at Krea are unchanged."
    )


COMMANDS = {
    "list": list_jobs,
    "show": show,
    "forget": forget,
    "recover": recover,
    "cost": cost,
}
