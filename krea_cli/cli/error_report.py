"""
Report the error that ends a run, together with everything that the run leaves open.
"""

from __future__ import annotations

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

# After a signal, so that its report has four lines at most.
MAX_HINTS = 3
CANCEL_SECONDS = 3.0


def report(error: KreaError, context: CliContext) -> ExitCode:
    """
    Show the error, and the jobs and requests that the run leaves behind; return the
    exit code.
    """
    summary = context.tracker.summary()
    explain = context.next_steps.explain
    run = context.invocation.run
    error = with_jobs(error, summary, can_stop=not run.cancel_on_interrupt)
    error = with_unconfirmed(error, summary, keeps_journal=not run.no_journal)
    error = with_not_submitted(error, summary)
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
        running = context.tracker.summary().running
        cancelled = context.jobs.cancel_all(running, seconds=CANCEL_SECONDS)
        for job_id in cancelled:
            context.tracker.ended_without_result(job_id)
        if cancelled:
            message += f" Cancelled {_jobs(len(cancelled))}."
        if rest := context.tracker.summary().running:
            are = "was" if len(rest) == 1 else "were"
            message += f" {_jobs(len(rest))} {are} not cancelled."
            hints.append(Step(Action.CANCEL_REST, tuple(rest)))
    return report(SignalError(signum).but(*hints, message=message), context)


def with_jobs(
    error: KreaError, summary: RunSummary, *, can_stop: bool = True
) -> KreaError:
    """
    Add to an error that is not about one job: how many jobs are saved, how many run and
    are paid for, and the commands that save them and, after a signal that left them
    running if *can_stop*, cancel them.
    """
    jobs = summary.pending or summary.unreported
    if error.job_id is not None or not jobs:
        return error
    if len(summary.unseen) == len(jobs) and not isinstance(error, SignalError):
        # Nothing is known of jobs that the service was not asked for.
        return error.but(job_id=jobs[0])
    several = summary.is_batch or len(jobs) > 1
    words = _state_of_many(summary) if several else _state_of_one(summary)
    hints: list[Hint] = [_save_step(summary, error, several=several)]
    if summary.running and can_stop and isinstance(error, SignalError):
        stop = Action.STOP_ALL if len(summary.running) > 1 else Action.STOP
        hints.append(Step(stop, tuple(summary.running)))
    return error.but(*hints, message=" ".join([error.message, *words]), job_id=jobs[0])


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
    if not summary.unconfirmed:
        return error
    first, count = summary.unconfirmed[0].record, len(summary.unconfirmed)
    words = "One request is unconfirmed: if Krea accepted it, you will be billed."
    if count > 1:
        words = f"{count} requests are unconfirmed: if Krea accepted them, you will be "
        words += "billed."
    return error.but(
        Step(Action.FIND_LOST, (first,) if count == 1 else ()),
        message=f"{error.message} {words}",
        record=first if keeps_journal else error.record,
        exit_code=error.exit_code
        if isinstance(error, SignalError)
        else ExitCode.UNKNOWN,
    )


def with_not_submitted(error: KreaError, summary: RunSummary) -> KreaError:
    """
    Add how many requests were not submitted, and how to submit them, unless a signal
    has left enough to do.
    """
    if not (count := summary.not_submitted):
        return error
    were = "request was" if count == 1 else "requests were"
    has_room = not isinstance(error, SignalError) or len(error.advice) < MAX_HINTS
    hint = f"To submit {'it' if count == 1 else 'them'}, run the same command with "
    return error.but(
        *[f"{hint}-n {count}."] * has_room,
        message=f"{error.message} {count} {were} not submitted.",
    )


def _state_of_one(summary: RunSummary) -> list[str]:
    words = [f"Job {job_id} is saved." for job_id in summary.unreported]
    words += [f"Job {job_id} keeps running." for job_id in summary.running]
    words += [f"Job {job_id} is not saved yet." for job_id in summary.completed]
    return words


def _state_of_many(summary: RunSummary) -> list[str]:
    is_counted = summary.saved_count or summary.is_remembered
    return state_of_jobs(
        saved=f"{summary.saved_count} of {summary.count}" if is_counted else None,
        running=len(summary.running),
        completed=len(summary.completed),
    )


def state_of_jobs(*, saved: str | None, running: int, completed: int) -> list[str]:
    """
    Return sentences about many jobs: how many of them are *saved*, which is left out if
    None, how many run and will be billed, and how many have completed unsaved.
    """
    words = [f"Saved {saved}."] if saved else []
    if running:
        keep = "keeps" if running == 1 else "keep"
        words.append(f"{_jobs(running)} {keep} running and will be billed.")
    if completed:
        are = "job is" if completed == 1 else "jobs are"
        words.append(f"{completed} completed {are} not saved yet.")
    return words


def _save_step(summary: RunSummary, error: KreaError, *, several: bool) -> Step:
    if not summary.pending:
        found = Action.FIND_ALL_SAVED if several else Action.FIND_SAVED
        return Step(found, tuple(summary.unreported))
    if isinstance(error, TargetError):
        return Step(Action.COLLECT_ELSEWHERE, tuple(summary.pending))
    later = Action.SAVE_ALL_LATER if several else Action.SAVE_LATER
    return Step(later, tuple(summary.pending))


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
