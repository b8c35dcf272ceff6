"""
Which records of the journal may be deleted, and which must stay.
"""

from __future__ import annotations

from collections.abc import Sequence

from krea_cli.cli.context import CliContext
from krea_cli.errors import Action, Step, UsageError
from krea_cli.journal.record import Record
from krea_cli.operations.list_records import moment


def past(session: CliContext, text: str | None, option: str) -> float | None:
    """
    As `listing.moment`, of what was made before then.

    Raises:
        UsageError: it is none, or not past: all there is would be meant.
    """
    found = moment(session, text, option)
    if found is not None and found > session.clock.wall():
        raise UsageError(
            f"{option}: {text} is in the future.",
            hint="Give how long ago, as 30d, or a date that is past.",
        )
    return found


def damaged(
    session: CliContext, names: Sequence[str], *, is_forced: bool
) -> dict[str, str]:
    """
    The ids of the records that are named, by their whole ids or those of their jobs,
    and cannot be read.

    Raises:
        UsageError: there is one, and nobody knows what became of it; with *is_forced*,
            its process may be sending it just now.
    """
    found = {}
    for name in names:
        record = session.damaged(name)
        if record is None:
            continue
        if record.is_in_flight:
            raise UsageError(
                f"{record.message} Its process still runs, and may be sending it.",
                hint="Wait until that has ended.",
            )
        if not is_forced:
            raise UsageError(
                f"{record.message} It may be in doubt: there may be a job, and a bill.",
                hint=(Step(Action.LOOK_FOR_JOB), Step(Action.FORGET_ANYWAY, (name,))),
            )
        found[name] = record.record
    return found


def before(session: CliContext, end: float, *, with_unfinished: bool) -> list[Record]:
    """
    The records of jobs from before then, the oldest first; those that krea has not seen
    end are left out with a note, unless they are wanted.
    """
    found = session.history.older_than(end)
    ended = [r for r in found if with_unfinished or r.state != "submitted"]
    if stay := len(found) - len(ended):
        session.out.note(
            f"{stay} of the records stay, of jobs that krea has not seen end; --force "
            "deletes these, too."
        )
    return ended


def check_settled(
    session: CliContext, records: Sequence[Record], *, allows_unfinished: bool
) -> None:
    """
    Raises:
        UsageError: with one of them it is not known yet what becomes of it; with
            *allows_unfinished* it is enough that it has a job.
    """
    now = session.clock.wall()
    for record in records:
        if record.is_in_flight(now):
            raise UsageError(
                f"The request of record {record.record} is being sent just now.",
                hint="Wait until it has a job.",
            )
        if record.is_unconfirmed(now):
            raise UsageError(
                f"Record {record.record} is in doubt: there may be a job, and a bill.",
                hint=Step(Action.SETTLE_FIRST, (record.record,)),
            )
        if record.state == "submitted" and not allows_unfinished:
            raise UsageError(
                f"Job {record.job_id} is paid for, and krea has not seen it end.",
                hint=(
                    "Delete its record all the same with --force.",
                    Step(Action.GET_FIRST, (str(record.job_id),)),
                ),
                job_id=record.job_id,
            )
