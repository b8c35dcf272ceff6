"""
Report the error that ends a run, together with everything that the run leaves open.
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
    from krea_cli.jobs.run_tracker import RunSummary

# More jobs than this are named in the command alone.
MOST_NAMED = 10
CANCEL_SECONDS = 3.0


def report(error: KreaError, context: CliContext) -> ExitCode:
    """
    Show the error, and the jobs and requests that the run leaves behind; return the
    exit code.
    """
    summary = context.tracker.summary()
    explain = context.next_steps.explain
    error = with_jobs(error, summary)
    error = with_unconfirmed(
        error, summary, keeps_journal=not context.invocation.run.no_journal
    )
    several = error.errors if isinstance(error, CombinedError) else ()
    for each in without_repeats([explain(each) for each in several]):
        context.console.error(each)
    context.console.error(explain(error))
    return error.exit_code


def report_interruption(signum: int, context: CliContext) -> ExitCode:
    """
    Report that a signal ended the run, after cancelling its jobs if that was asked for.
    """
    message, hints = SignalError(signum).message, list[Hint]()
    if context.invocation.run.cancel_on_interrupt:
        pending = context.tracker.summary().pending
        cancelled = context.jobs.cancel_all(pending, seconds=CANCEL_SECONDS)
        for job_id in cancelled:
            context.tracker.ended_without_result(job_id)
        if cancelled:
            message += f" Cancelled: {', '.join(cancelled)}."
        if rest := context.tracker.summary().pending:
            message += " Some jobs could not be cancelled, or had finished before."
            hints.append(Step(Action.CANCEL_REST, tuple(rest)))
    return report(SignalError(signum).but(*hints, message=message), context)


def with_jobs(error: KreaError, summary: RunSummary) -> KreaError:
    """
    Add to an error that is not about one job: the jobs that are paid for, the command
    that collects them, and how many requests were not submitted.
    """
    if error.job_id is not None:
        return error
    message, hints, job_id = error.message, list[Hint](), None
    if jobs := summary.pending or summary.unreported:
        job_id = jobs[0]
        if summary.unreported:
            message += f" Saved: {_named(summary.unreported)}."
        if summary.pending:
            message += f" Not saved yet: {_named(summary.pending)}."
        hints.append(_collect_step(jobs, error))
    if count := summary.not_submitted:
        requests = "1 request was" if count == 1 else f"{count} requests were"
        message += f" {requests} not submitted."
        hints.append(f"To submit them, run the same command with -n {count}.")
    return error.but(*hints, message=message, job_id=job_id)


def with_unconfirmed(
    error: KreaError, summary: RunSummary, *, keeps_journal: bool
) -> KreaError:
    """
    Add the unconfirmed submissions, unless the error is about them. They decide the
    exit code, except after a signal: nothing else is as urgent.
    """
    errors = error.errors if isinstance(error, CombinedError) else [error]
    if any(isinstance(each, UnconfirmedSubmissionError) for each in errors):
        return error
    for record in summary.unconfirmed:
        is_signal = isinstance(error, SignalError)
        error = error.but(
            Step(Action.FIND_LOST, (record.record,)),
            message=f"{error.message} One request is unconfirmed: if Krea accepted it, "
            "it will be billed.",
            record=record.record if keeps_journal else error.record,
            exit_code=error.exit_code if is_signal else ExitCode.UNKNOWN,
        )
    return error


def _collect_step(jobs: Sequence[str], error: KreaError) -> Step:
    if isinstance(error, TargetError):
        return Step(Action.COLLECT_ELSEWHERE, tuple(jobs))
    return Step(Action.THEN_WAIT if error.advice else Action.WAIT, tuple(jobs))


def _named(jobs: Sequence[str]) -> str:
    return ", ".join(jobs) if len(jobs) <= MOST_NAMED else f"{len(jobs)} jobs"
