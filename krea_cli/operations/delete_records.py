"""
Decide which records of the journal may be deleted, and which must stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from krea_cli.errors import Action, Step, UsageError
from krea_cli.operations.list_records import parse_time

if TYPE_CHECKING:
    from krea_cli.journal.corrupt_record import CorruptRecord
    from krea_cli.journal.queries import JournalQueries
    from krea_cli.journal.record import Record
    from krea_cli.output.console import Console


def parse_past_time(text: str | None, option: str, *, now: float) -> float | None:
    """
    Return a time as `parse_time` does.

    Raises:
        UsageError: it names no time, or one to come: that would mean every record.
    """
    found = parse_time(text, option, now=now)
    if found is not None and found > now:
        raise UsageError(
            f"{option} {text} is in the future.",
            hint="Use an age, such as 30d, or a past date.",
        )
    return found


def find_corrupt(
    find: Callable[[str], CorruptRecord | None], names: Sequence[str], *, force: bool
) -> dict[str, str]:
    """
    Return the record ids of the names, whole ids of records or jobs, whose records
    cannot be read.

    Raises:
        UsageError: there is one, and it may be unconfirmed; with *force*, a process may
            be submitting it just now.
    """
    found = {}
    for name in names:
        record = find(name)
        if record is None:
            continue
        if record.is_in_flight:
            raise UsageError(
                f"{record.message} Its process is still running and may be submitting "
                "it.",
                hint="Wait until that is done, then try again.",
            )
        if not force:
            raise UsageError(
                f"{record.message} It may be unconfirmed; if Krea accepted it, it will "
                "be billed.",
                hint=(Step(Action.LOOK_FOR_JOB), Step(Action.FORGET_ANYWAY, (name,))),
            )
        found[name] = record.record
    return found


def records_before(
    history: JournalQueries, end: float, *, with_unfinished: bool, console: Console
) -> list[Record]:
    """
    Return the records of jobs from before *end*, the oldest first. Jobs that krea has
    not seen finish are left out with a note, unless they are wanted.
    """
    found = history.older_than(end)
    ended = [r for r in found if with_unfinished or r.state != "submitted"]
    if stay := len(found) - len(ended):
        console.note(
            f"{stay} records were kept because their jobs may still be running "
            "(--force deletes them too)."
        )
    return ended


def check_deletable(
    records: Sequence[Record], *, now: float, allows_unfinished: bool
) -> None:
    """
    Find out whether the records may be deleted. *now* is the wall clock.

    Raises:
        UsageError: the outcome of one is still open; with *allows_unfinished* it is
            enough that it has a job.
    """
    for record in records:
        if record.is_in_flight(now):
            raise UsageError(
                f"Request {record.record} is being submitted right now.",
                hint="Wait until that is done, then try again.",
            )
        if record.is_unconfirmed(now):
            raise UsageError(
                f"Request {record.record} is unconfirmed; if Krea accepted it, it will "
                "be billed.",
                hint=Step(Action.SETTLE_FIRST, (record.record,)),
            )
        if record.state == "submitted" and not allows_unfinished:
            raise UsageError(
                f"Job {record.job_id} may still be running, and it is paid for.",
                hint=(
                    Step(Action.GET_FIRST, (str(record.job_id),)),
                    "To delete the record anyway, add --force.",
                ),
                job_id=record.job_id,
            )
