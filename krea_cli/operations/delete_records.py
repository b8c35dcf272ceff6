"""
Decide which journal records may be deleted.
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
    Parse a time in the past, in the forms of `parse_time`.

    Raises:
        UsageError: the text is not a time, or is in the future, which would select
            every record.
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
    Return the unreadable records among `names`, as record ids by name.

    The names are complete record ids or job ids.

    Raises:
        UsageError: `force` is not set, and an unreadable record may be unconfirmed; or
            a process may be submitting it at the moment.
    """
    found = {}
    for name in names:
        record = find(name)
        if record is None:
            continue
        if record.is_in_flight:
            raise UsageError(
                f"{record.message} Another krea process may be submitting its request "
                "right now.",
                hint="Wait until no other krea process runs, then try again.",
            )
        if not force:
            raise UsageError(
                f"{record.message} If Krea accepted its request, the job will be "
                "billed.",
                hint=(Step(Action.LOOK_FOR_JOB), Step(Action.FORGET_ANYWAY, (name,))),
            )
        found[name] = record.record
    return found


def records_before(
    history: JournalQueries, end: float, *, with_unfinished: bool, console: Console
) -> list[Record]:
    """
    Return the records of jobs from before `end`, oldest first.

    Unfinished jobs are left out with a note, unless `with_unfinished` is set.
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
    Check that the records may be deleted. `now` is the wall clock.

    Raises:
        UsageError: the outcome of a record is unknown. With `allows_unfinished`,
            records with a job id are allowed.
    """
    for record in records:
        if record.is_in_flight(now):
            raise UsageError(
                f"Request {record.record} is being submitted right now.",
                hint="Wait until no other krea process runs, then try again.",
            )
        if record.is_unconfirmed(now):
            raise UsageError(
                f"Cannot delete request {record.record}: it is unconfirmed. If Krea "
                "accepted it, you will be billed.",
                hint=Step(Action.SETTLE_FIRST, (record.record,)),
            )
        if record.state == "submitted" and not allows_unfinished:
            raise UsageError(
                f"Job {record.job_id} may still be running and will be billed.",
                hint=(
                    Step(Action.GET_FIRST, (str(record.job_id),)),
                    "To delete the record anyway, add --force.",
                ),
                job_id=record.job_id,
            )
