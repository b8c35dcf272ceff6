"""
`krea jobs`: what was paid for, and what is in doubt.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from krea_cli.cli import options
from krea_cli.cli.context import CliContext
from krea_cli.commands.jobs_cost import cost
from krea_cli.downloads.output_options import OutputOptions
from krea_cli.errors import KreaError, UsageError
from krea_cli.operations import delete_records, list_records, resolve_unconfirmed
from krea_cli.operations.collect import JobCollection
from krea_cli.operations.spending_limit import SpendingLimit
from krea_cli.output.results.jobs import JobStatus, JobSubmitted
from krea_cli.output.results.records import (
    RecordDetails,
    RecordInDoubt,
    RecordRow,
    RecordsForgotten,
)

# What fits a screen.
USUAL = 20


def list_jobs(
    session: CliContext,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            parser=options.whole(1),
            help="So many at most; 20 if it is not said.",
            show_default=False,
        ),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="WORD", help="Those with this status alone."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Those since then: 12h, 7d or 2026-11-20."
        ),
    ] = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Ask the service for its own list.")
    ] = False,
) -> None:
    """
    Show the jobs that the journal knows, the newest first.

    \b
    Examples:
      krea jobs list --since 7d
      krea jobs list --remote --status completed
    """
    begin = list_records.moment(session, since, "--since")
    if remote:
        jobs = list_records.of_service(
            session, limit=limit or USUAL, state=status, since=begin
        )
        session.out.result([JobStatus(job) for job in jobs])
        return
    most = limit or USUAL
    found = list_records.recorded(session, limit=most + 1, state=status, since=begin)
    session.out.result(
        [
            RecordRow(record=record, status=list_records.status(session, record))
            for record in found[:most]
        ]
    )
    if len(found) > most and limit is None:
        session.out.note(f"These are the newest {most}; for more: --limit N.")
    if not found:
        such = "such job" if status or since else "job yet"
        session.out.note(f"The journal knows no {such} of this service.")
    resolve_unconfirmed.remind(session)


def show(session: CliContext, jobs: options.Jobs = None) -> None:
    """
    Show all that the journal knows of jobs.

    \b
    Example:
      krea jobs show @last
    """
    session.out.result(
        [
            RecordDetails(record=record, status=list_records.status(session, record))
            for record in list_records.named(session, jobs)
        ]
    )


def forget(
    session: CliContext,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[JOB]...",
            help="Job ids, beginnings of them, or @last.",
            show_default=False,
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="TIME", help="All from before: 30d or 2026-11-20."
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", "-f", help="Also of jobs that may run, or that cannot be read."
        ),
    ] = False,
) -> None:
    """
    Delete records of the journal, with the prompts in them.

    Records of jobs that krea has not seen end stay, and so do those in doubt, and those
    that cannot be read.

    \b
    Example:
      krea jobs forget --older-than 30d
    """
    if bool(jobs) == (older_than is not None):
        raise UsageError("Name jobs, or give --older-than TIME.")
    end = delete_records.past(session, older_than, "--older-than")
    unread = delete_records.damaged(session, jobs or (), is_forced=force)
    others = [job for job in jobs or () if job not in unread]
    records = list_records.named(session, others) if others else []
    delete_records.check_settled(session, records, allows_unfinished=force)
    if end is not None:
        records = delete_records.before(session, end, with_unfinished=force)

    ids = [each.record for each in records]
    count = session.history.delete(ids, unread=[*unread.values()])

    _tell_forgotten(session, count)
    if end is not None:
        resolve_unconfirmed.remind(session)


def recover(
    session: CliContext,
    record: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECORD]",
            help="The record, if several are in doubt: the beginning of its id.",
            show_default=False,
        ),
    ] = None,
    adopt: Annotated[
        str | None,
        typer.Option("--adopt", metavar="JOB", help="It became this job."),
    ] = None,
    resubmit: Annotated[
        bool, typer.Option("--resubmit", help="Send it once more; it may cost again.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Close it; nothing is sent.")
    ] = False,
    max_cost: options.MaxCost = None,
    allow_unknown_cost: options.AllowUnknownCost = False,
) -> None:
    """
    Settle requests that may have been taken, and billed.

    \b
    Example:
      krea jobs recover
    """
    if (adopt is not None) + resubmit + forget > 1:
        raise UsageError("--adopt, --resubmit and --forget are three ways out: one.")
    if max_cost is not None and not resubmit:
        raise UsageError(
            "--max-cost limits what is submitted, and only --resubmit submits."
        )
    if adopt is None and not resubmit and not forget:
        _list_in_doubt(session, record)
        return
    one = list_records.one_in_doubt(session, record)
    if forget:
        # Claimed first, so that nobody sends it again while it is closed.
        session.history.claim(one)
        _tell_forgotten(session, session.history.delete([one.record]))
        return
    if adopt is not None:
        job = session.recovery.adopt(one, list_records.candidate(session, one, adopt))
    else:
        limit = SpendingLimit.of(
            max_cost, session.resolved, allows_unknown=allow_unknown_cost
        )
        limit.check(one.cost_usd, model=one.model)
        deadline = session.deadline(None)
        resend = partial(session.recovery.resubmit, one, deadline=deadline)
        job = resolve_unconfirmed.sent(session, resend, deadline=deadline)
    session.deliver(OutputOptions(output=session.settings.output), saves=False)
    JobCollection(session, [job]).tell(JobSubmitted, waits=False)


def _list_in_doubt(session: CliContext, beginning: str | None) -> None:
    """
    All is told that is known, also when the service cannot be asked.
    """
    failure: KreaError | None = None
    records = list_records.in_doubt(session, beginning)
    if not records:
        session.out.note("No record is in doubt.")
    resolve_unconfirmed.remind_of_others(session)
    for record in records:
        candidates = None
        if failure is None:
            try:
                candidates = session.recovery.candidates(record)
            except KreaError as exc:
                failure = exc
        session.out.result(
            [RecordInDoubt(record=record, status="unknown", candidates=candidates)]
        )
        if candidates is not None:
            resolve_unconfirmed.warn_of_other_token(session, record)
            steps = resolve_unconfirmed.ways_out(session, record, candidates)
            for way_out in session.next_steps.lines(steps):
                session.out.note(f"  {way_out}")
    if failure:
        raise failure


def _tell_forgotten(session: CliContext, count: int) -> None:
    session.out.result([RecordsForgotten(count)])
    session.out.note("Files on disk and jobs at the service are as they were.")


COMMANDS = {
    "list": list_jobs,
    "show": show,
    "forget": forget,
    "recover": recover,
    "cost": cost,
}
