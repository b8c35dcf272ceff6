"""
A request of which it is not known whether the service took it: what was seen of it, and
every way out, for a person and for a script.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from krea_cli.api.resources import Job
from krea_cli.errors import JournalError, KreaError, UnknownSubmissionError
from krea_cli.jobs.selection import ELSEWHERE
from krea_cli.session import Session

if TYPE_CHECKING:
    from krea_cli.jobs.records import Record

LOOKING_SECONDS = 30.0
# However near the deadline is: one look at least.
LEAST_SECONDS = 3.0
# Of the candidates that are listed and asked about.
MOST_TOLD = 10
_LEFT_OPEN = "It is left open whether the service took the job, and it may be billed."


def remind(session: Session) -> None:
    """
    Say that earlier requests are still in doubt.
    """
    records = session.history.in_doubt()
    if records:
        count = f"{len(records)} earlier request" + "s" * (len(records) > 1)
        session.out.warn(
            f"It is still unknown whether the service took {count}: "
            f"{session.command('jobs', 'recover')}"
        )


def remind_of_others(session: Session) -> None:
    """
    Say that requests of another service are in doubt.
    """
    if others := session.history.others_in_doubt():
        session.out.warn(
            f"Of another service there are some in doubt ({', '.join(others)}): "
            f"{ELSEWHERE}"
        )


def sent(session: Session, send: Callable[[], Job], *, deadline: float) -> Job:
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
    except UnknownSubmissionError as exc:
        return settled(session, exc, deadline)
    except JournalError as exc:
        raise kept(session, exc) from None


def kept(session: Session, error: KreaError) -> KreaError:
    """
    With the command that collects the job, where its id could not be kept.
    """
    if isinstance(error, JournalError) and error.job_id:
        collect = session.collect("wait", [error.job_id])
        error.add_hint(f"Collect it with: {collect}")
    return error


def settled(session: Session, error: UnknownSubmissionError, deadline: float) -> Job:
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
        error.details = seen(found)
    except KreaError as exc:
        error.details = [f"The service's list of jobs cannot be seen: {exc.message}"]
    error.hint = ways_out(session, record, found)
    job = None
    try:
        job = _asked(session, error, record, found, deadline)
    except UnknownSubmissionError as exc:
        # It was sent once more, so what was seen before is no longer so.
        session.in_doubt.remove(record)
        return settled(session, exc, deadline)
    except JournalError as exc:
        raise kept(session, exc) from None
    except KreaError as exc:
        session.out.error(exc)
    if job is None:
        error.record = record.record if session.keeps_journal else None
        raise error
    session.in_doubt.remove(record)
    return job


def _found(
    session: Session, record: Record, deadline: float, submitted: float | None
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


def ways_out(session: Session, record: Record, candidates: Sequence[Job] | None) -> str:
    """
    The exact command for each way out, one a line; *candidates* None are not known.
    """
    if not session.keeps_journal:
        return (
            f"Look at the service's list: {session.command('jobs', 'list', '--remote')}"
        )
    recover = ("jobs", "recover", record.record[:8])
    forget = session.command(*recover, "--forget")
    if candidates and len(candidates) == 1:
        adopt = session.command(*recover, "--adopt", candidates[0].job_id)
        return f"If it is yours: {adopt}\nIf not: {forget}"
    if candidates:
        adopt = session.command(*recover, "--adopt", "JOB")
        several = f"If one is yours: {adopt}\nIf none is: {forget}"
        if len(candidates) > MOST_TOLD:
            look = session.command(*recover[:2])
            return f"List all {len(candidates)} of them: {look}\n{several}"
        return several
    look = f"Look again: {session.command(*recover[:2])}"
    close = f"Close it: {forget}"
    is_sendable = record.is_whole and not session.recovery.has_other_token(record)
    if candidates is None or not is_sendable:
        return f"{look}\n{close}"
    resubmit = session.command(*recover, "--resubmit")
    return f"{look}\nSend it once more, which may be billed again: {resubmit}\n{close}"


def warn_of_other_token(session: Session, record: Record) -> None:
    """
    Say that the list of jobs may be that of another account.
    """
    if session.recovery.has_other_token(record):
        session.out.warn(
            f"Record {record.record[:8]} was submitted with another API token, which "
            "may belong to another account: this token may not show its job."
        )


def _asked(
    session: Session,
    error: UnknownSubmissionError,
    record: Record,
    candidates: Sequence[Job] | None,
    deadline: float,
) -> Job | None:
    """
    The job that a person at the terminal settles on; None leaves it in doubt.
    """
    if session.flags.quiet or not session.is_interactive:
        return None
    if candidates is None or not (candidates or record.is_whole):
        return None
    session.out.warn(error.message)
    for number, line in enumerate(error.details, start=1):
        session.out.note(f"{number}. {line}" if candidates else line)
    # All that is told now is not told again.
    error.message, error.details = _LEFT_OPEN, ()
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


def _choose(session: Session, question: str, allowed: Sequence[str]) -> str:
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
