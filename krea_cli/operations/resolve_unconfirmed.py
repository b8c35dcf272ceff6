"""
A request of which it is not known whether the service took it: what was seen of it, and
every way out, for a person and for a script.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from krea_cli.api.models import Job
from krea_cli.cli.context import CliContext
from krea_cli.errors import (
    Action,
    JournalError,
    KreaError,
    Step,
    UnconfirmedSubmissionError,
)
from krea_cli.jobs.job_refs import ELSEWHERE

if TYPE_CHECKING:
    from krea_cli.journal.record import Record

LOOKING_SECONDS = 30.0
# However near the deadline is: one look at least.
LEAST_SECONDS = 3.0
# Of the candidates that are listed and asked about.
MOST_TOLD = 10
_LEFT_OPEN = "It is left open whether the service took the job, and it may be billed."


def remind(session: CliContext) -> None:
    """
    Say that earlier requests are still in doubt.
    """
    records = session.history.unconfirmed()
    if records:
        count = f"{len(records)} earlier request" + "s" * (len(records) > 1)
        session.out.warn(
            f"It is still unknown whether the service took {count}: "
            f"{session.next_steps.recover()}"
        )


def remind_of_others(session: CliContext) -> None:
    """
    Say that requests of another service are in doubt.
    """
    if others := session.history.unconfirmed_elsewhere():
        session.out.warn(
            f"Of another service there are some in doubt ({', '.join(others)}): "
            f"{ELSEWHERE}"
        )


def sent(session: CliContext, send: Callable[[], Job], *, deadline: float) -> Job:
    """
    The job of the paid request that *send* sends.  Of one in doubt, the job that a
    person settles on.

    Raises:
        UnknownSubmissionError: it stays in doubt; with what was seen of it and the
            command for each way out.
        KreaError: as `jobs.paid`.
    """
    try:
        with session.out.progress() as progress:
            progress.doing("submitting")
            return send()
    except UnconfirmedSubmissionError as exc:
        return settled(session, exc, deadline)


def settled(
    session: CliContext, error: UnconfirmedSubmissionError, deadline: float
) -> Job:
    """
    The job that a person settles on.

    Raises:
        KreaError: as `sent`.
    """
    [record] = [each for each in session.in_doubt if each.record == error.record]
    found: list[Job] | None = None
    if isinstance(reason := error.__cause__, KreaError):
        session.out.note(
            f"The answer to the request was lost: {reason.message} Looking for its job "
            "in the service's list."
        )
    try:
        found = _found(session, record, deadline, error.submitted)
        details = seen(found)
    except KreaError as exc:
        details = [f"The service's list of jobs cannot be seen: {exc.message}"]
    error = error.but(
        details=details,
        advice=ways_out(session, record, found),
        record=record.record if session.keeps_journal else None,
    )
    if not _may_ask(session, record, found):
        raise error
    # What is shown with the question is not shown again.
    left_open = error.but(message=_LEFT_OPEN, details=())
    try:
        job = _asked(session, error, record, found or (), deadline)
    except UnconfirmedSubmissionError as exc:
        # It was sent once more, so what was seen before is no longer so.
        session.in_doubt.remove(record)
        return settled(session, exc, deadline)
    except JournalError:
        raise
    except KreaError as exc:
        session.report(exc)
        raise left_open from error.__cause__
    if job is None:
        raise left_open
    session.in_doubt.remove(record)
    return job


def _found(
    session: CliContext, record: Record, deadline: float, submitted: float | None
) -> list[Job]:
    now = session.clock.now()
    until = min(now + LOOKING_SECONDS, max(deadline, now + LEAST_SECONDS))
    with session.out.progress() as progress:
        progress.doing("looking up to 30 s for the job in the service's list")
        return session.recovery.search(record, until=until, submitted=submitted)


def seen(candidates: Sequence[Job]) -> list[str]:
    """
    A line for each of the likeliest candidates, or one that says that there is none.
    """
    if not candidates:
        return ["The service's list has no job since then: probably not accepted."]
    return [
        f"It may be {job.job_id} ({job.status}, created {job.created_at or 'unknown'})."
        for job in candidates[:MOST_TOLD]
    ]


def ways_out(
    session: CliContext, record: Record, candidates: Sequence[Job] | None
) -> list[Step]:
    """
    Each way out; *candidates* None are not known.
    """
    if not session.keeps_journal:
        return [Step(Action.LIST_LOST)]
    one = (record.record,)
    if candidates and len(candidates) == 1:
        return [
            Step(Action.ADOPT, (*one, candidates[0].job_id)),
            Step(Action.CLOSE_IF_NOT_YOURS, one),
        ]
    if candidates:
        ways = [
            Step(Action.ADOPT_ONE, one),
            Step(Action.CLOSE_IF_NONE_IS_YOURS, one),
        ]
        if len(candidates) > MOST_TOLD:
            return [Step(Action.LIST_CANDIDATES), *ways]
        return ways
    look, close = Step(Action.LOOK_AGAIN), Step(Action.CLOSE, one)
    if candidates is None or not _may_resubmit(session, record):
        return [look, close]
    return [look, Step(Action.RESUBMIT, one), close]


def _may_resubmit(session: CliContext, record: Record) -> bool:
    return record.is_whole and not session.recovery.has_other_token(record)


def _may_ask(
    session: CliContext, record: Record, candidates: Sequence[Job] | None
) -> bool:
    """
    Whether a person is there to decide, and there is something to decide.
    """
    if session.flags.quiet or not session.is_interactive:
        return False
    if candidates is None:
        return False
    return bool(candidates) or _may_resubmit(session, record)


def warn_of_other_token(session: CliContext, record: Record) -> None:
    """
    Say that the list of jobs may be that of another account.
    """
    if session.recovery.has_other_token(record):
        session.out.warn(
            f"Record {record.record[:8]} was submitted with another API token, which "
            "may belong to another account: this token may not show its job."
        )


def _asked(
    session: CliContext,
    error: UnconfirmedSubmissionError,
    record: Record,
    candidates: Sequence[Job],
    deadline: float,
) -> Job | None:
    """
    The job that a person at the terminal settles on; None leaves it in doubt.
    """
    session.out.warn(error.message)
    for number, line in enumerate(error.details, start=1):
        session.out.note(f"{number}. {line}" if candidates else line)
    if not candidates:
        answer = _choose(
            session, "Send it once more, which may be billed again?", ["yes"]
        )
        if not answer:
            return None
        return session.recovery.resubmit(record, deadline=deadline)
    numbers = [str(number) for number in range(1, min(len(candidates), MOST_TOLD) + 1)]
    answer = _choose(session, "Which is yours?", numbers)
    if not answer:
        return None
    return session.recovery.adopt(record, candidates[int(answer) - 1].job_id)


def _choose(session: CliContext, question: str, allowed: Sequence[str]) -> str:
    """
    One of the allowed answers; empty for Enter, and for three others.
    """
    for _ in range(3):
        answer = session.ask(
            f"{question} Type {' or '.join(allowed)}, or Enter to leave it open: "
        )
        if answer in ("", *allowed):
            return answer
    return ""
