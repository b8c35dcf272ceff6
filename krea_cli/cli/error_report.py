"""
Report the error that ends a run, with the jobs and requests that the run leaves open.
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

# After a signal, the report has at most four lines.
MAX_HINTS = 3
CANCEL_SECONDS = 3.0


def report(error: KreaError, context: CliContext) -> ExitCode:
    """
    Show the error, with the jobs and requests that the run leaves open, and return the
    exit code.
    """
    summary = context.tracker.summary()
    explain = context.next_steps.explain
    run = context.invocation.run
    error = with_jobs(
        error,
        summary,
        can_stop=not run.cancel_on_interrupt,
        is_billed=not (summary.pending and context.service.is_sandbox),
    )
    error = with_unconfirmed(error, summary, keeps_journal=not run.no_journal)
    error = with_not_submitted(error, summary)
    several = error.errors if isinstance(error, CombinedError) else ()
    for each in without_repeats([explain(each) for each in several]):
        context.console.error(each)
    context.console.error(explain(error))
    return error.exit_code


def report_interruption(signum: int, context: CliContext) -> ExitCode:
    """
    Report that a signal ended the run. With --cancel-on-interrupt, cancel its jobs
    first.
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
    error: KreaError,
    summary: RunSummary,
    *,
    can_stop: bool = True,
    is_billed: bool = True,
) -> KreaError:
    """
    Add how many jobs are saved and how many run and are billed, and the commands to
    save them. The sandbox bills nothing. After a signal, and if `can_stop`, also add
    the command to cancel them. Leave an error about a single job unchanged.
    """
    jobs = summary.pending or summary.unreported
    if error.job_id is not None or not jobs:
        return error
    if len(summary.unseen) == len(jobs) and not isinstance(error, SignalError):
        # The service has confirmed none of the jobs, so their state is unknown.
        return error.but(job_id=jobs[0])
    several = summary.is_batch or len(jobs) > 1
    if several:
        words = _state_of_many(summary, is_billed=is_billed)
    else:
        words = _state_of_one(summary)
    hints: list[Hint] = [_save_step(summary, error, several=several)]
    if summary.running and can_stop and isinstance(error, SignalError):
        stop = Action.STOP_ALL if len(summary.running) > 1 else Action.STOP
        hints.append(Step(stop, tuple(summary.running)))
    return error.but(*hints, message=" ".join([error.message, *words]), job_id=jobs[0])


def with_unconfirmed(
    error: KreaError, summary: RunSummary, *, keeps_journal: bool
) -> KreaError:
    """
    Add the unconfirmed requests, unless the error is about them. They determine the
    exit code, except after a signal.
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
    Add how many requests were not submitted, and how to submit them. After a signal,
    leave out the hint if there are too many.
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


def _state_of_many(summary: RunSummary, *, is_billed: bool) -> list[str]:
    is_counted = summary.saved_count or summary.is_remembered
    return state_of_jobs(
        saved=f"{summary.saved_count} of {summary.count}" if is_counted else None,
        running=len(summary.running),
        completed=len(summary.completed),
        is_billed=is_billed,
    )


def state_of_jobs(
    *, saved: str | None, running: int, completed: int, is_billed: bool = True
) -> list[str]:
    """
    Return sentences about the states of many jobs. `saved` is text such as "3 of 5",
    None to leave it out. `completed` counts jobs that have completed but are not saved.
    """
    words = [f"Saved {saved}."] if saved else []
    if running:
        keep = "keeps" if running == 1 else "keep"
        billed = " and will be billed" if is_billed else ""
        words.append(f"{_jobs(running)} {keep} running{billed}.")
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
