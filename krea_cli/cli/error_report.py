"""
How an error is reported at the end of a run: with what the run has left open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from krea_cli.cli.next_steps import without_repeats
from krea_cli.errors import (
    Action,
    CombinedError,
    ExitCode,
    Hint,
    KreaError,
    SignalError,
    Step,
    TargetError,
    UnconfirmedSubmissionError,
)

if TYPE_CHECKING:
    from krea_cli.cli.context import CliContext

# More jobs than this are named in the command alone.
MOST_NAMED = 10


def report(error: KreaError, session: CliContext) -> ExitCode:
    """
    Show the error, and the jobs and requests that the run leaves behind; return the
    exit code.
    """
    explain = session.next_steps.explain
    error = _with_unconfirmed(_with_jobs(error, session), session)
    several = error.errors if isinstance(error, CombinedError) else ()
    for each in without_repeats([explain(each) for each in several]):
        session.out.error(each)
    session.out.error(explain(error))
    return error.exit_code


def report_interruption(signum: int, session: CliContext) -> ExitCode:
    """
    Report that a signal ended the run, after cancelling its jobs if that was asked for.
    """
    message, hints = SignalError(signum).message, list[Hint]()
    if session.cancels_on_interrupt:
        if cancelled := session.cancel_pending():
            message += f" Cancelled: {', '.join(cancelled)}."
        if session.pending:
            message += " Not everything could be cancelled, or had ended before."
            hints.append(Step(Action.CANCEL_REST, tuple(session.pending)))
    return report(SignalError(signum).but(*hints, message=message), session)


def _with_jobs(error: KreaError, session: CliContext) -> KreaError:
    """
    An error that is not about one job, with the jobs that go on and are paid for, how
    to get what they make, and what was not sent.
    """
    if error.job_id is not None:
        return error
    message, hints, job_id = error.message, list[Hint](), None
    if jobs := session.pending or session.untold:
        job_id = jobs[0]
        if session.untold:
            message += f" Saved already: {_named(session.untold)}."
        if session.pending:
            message += f" Not collected yet: {_named(session.pending)}."
        hints.append(_way_to(jobs, error))
    if session.unsent:
        were = "was" if session.unsent == 1 else "were"
        message += f" {session.unsent} more of the requests {were} not sent."
        hints.append(f"Send those: the same command again with -n {session.unsent}")
    return error.but(*hints, message=message, job_id=job_id)


def _way_to(jobs: Sequence[str], error: KreaError) -> Step:
    if isinstance(error, TargetError):
        return Step(Action.COLLECT_ELSEWHERE, tuple(jobs))
    return Step(Action.THEN_WAIT if error.advice else Action.WAIT, tuple(jobs))


def _with_unconfirmed(error: KreaError, session: CliContext) -> KreaError:
    """
    The error with the requests of which nobody knows, unless it is about them; but for
    a signal, nothing is as urgent.
    """
    errors = error.errors if isinstance(error, CombinedError) else [error]
    if any(isinstance(each, UnconfirmedSubmissionError) for each in errors):
        return error
    for record in session.in_doubt:
        is_signal = isinstance(error, SignalError)
        error = error.but(
            Step(Action.FIND_LOST, (record.record,)),
            message=f"{error.message} It is unknown whether the service took the job "
            "of a request, and it may be billed.",
            record=record.record if session.keeps_journal else error.record,
            exit_code=error.exit_code if is_signal else ExitCode.UNKNOWN,
        )
    return error


def _named(jobs: Sequence[str]) -> str:
    return ", ".join(jobs) if len(jobs) <= MOST_NAMED else f"{len(jobs)} jobs"
