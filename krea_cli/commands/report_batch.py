"""
Report the outcome of a batch: each item as it ends, and then a summary, or the state
after a signal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from krea_cli.api.models import Job, SavedFile
from krea_cli.batch.lock import LockedFile
from krea_cli.batch.plan import Plan, PlanStep, Sign
from krea_cli.cli.context import CliContext
from krea_cli.cli.error_report import CANCEL_SECONDS, state_of_jobs
from krea_cli.cli.next_steps import same_command
from krea_cli.commands.describe_batch import (
    line_of,
    run_summary,
    unconfirmed_hints,
)
from krea_cli.commands.plan_batch import BatchGiven
from krea_cli.errors import (
    Action,
    CombinedError,
    Hint,
    JobCancelledError,
    JobDeletedError,
    JobFailedError,
    JournalError,
    KreaError,
    SignalError,
    Step,
    TargetExistsError,
    UnconfirmedSubmissionError,
    UnknownJobError,
    WaitTimeoutError,
)
from krea_cli.jobs.job_refs import run_ref
from krea_cli.operations.batch_files import BatchFiles
from krea_cli.operations.batch_outcome import ItemOutcome, ItemSeen, ItemSubmitted
from krea_cli.operations.batch_run import MAX_UNCONFIRMED, BatchRun
from krea_cli.output.batch_progress import BatchProgress
from krea_cli.output.results.batch import BatchItem
from krea_cli.runtime import shell_words, signals

if TYPE_CHECKING:
    from krea_cli.operations.github_step import GithubStep

# A command names up to this many jobs of a run, and otherwise the run, to stay short.
MAX_NAMED = 1
# Options that pay again if the command is repeated.
_ONLY_ONCE = ("--again", "--limit")


class BatchReport:
    """
    The report of a run: each item as it ends, and then a summary.
    """

    def __init__(
        self,
        ctx: CliContext,
        given: BatchGiven,
        plan: Plan,
        files: BatchFiles,
        shown: Callable[[str], str],
    ) -> None:
        self._ctx = ctx
        self._given = given
        self._files = files
        self._shown = shown
        self._numbers = {
            step.output: number for number, step in enumerate(plan.steps, start=1)
        }
        self._recorded = set[str]()
        self._submitted = 0
        self._total = len(plan.steps)

    def event(
        self, event: ItemSubmitted | ItemSeen | ItemOutcome, progress: BatchProgress
    ) -> None:
        if isinstance(event, ItemOutcome):
            self._ended(event, progress)
            return
        output, job = event.step.shown, event.job
        if isinstance(event, ItemSeen) and event.error is not None:
            progress.missed(output, event.error)
            return
        is_new = isinstance(event, ItemSubmitted) and event.is_new
        progress.seen(output, job, is_paid=is_new)
        if isinstance(event, ItemSubmitted):
            self._submitted += event.is_new
        if job.is_final and job.job_id not in self._recorded:
            self._recorded.add(job.job_id)
            self._ctx.jobs.record_outcome(job)

    def _ended(self, outcome: ItemOutcome, progress: BatchProgress) -> None:
        ctx, step, job = self._ctx, outcome.step, outcome.job
        if job is not None and outcome.state not in ("running", "submitted"):
            ctx.tracker.ended_without_result(job.job_id)
        line = line_of(outcome, self._shown)
        # If both streams are the same terminal, one line for the item is enough.
        is_shown = line and progress.shows_lines and ctx.console.is_one_terminal
        if not is_shown:
            ctx.console.result([self._result(outcome)])
        if line:
            progress.ended(step.shown, line, job, is_paid=outcome.is_paid)

    def _result(self, outcome: ItemOutcome) -> BatchItem:
        step = outcome.step
        job = self._files.saved.get(step.output) or outcome.job
        job = job or _job_of(step, outcome.state, files=outcome.files)
        job = self._with_paths(job)
        data = job.as_json()
        data["job_id"] = data["job_id"] or None
        paths: tuple[str, ...] = ()
        if outcome.state in ("made", "fetched"):
            paths = tuple(self._shown(file.path) for file in outcome.files)
        elif outcome.state == "submitted":
            paths = (job.job_id,)
        return BatchItem(
            item=self._numbers[step.output],
            output=step.shown,
            key=step.planned.key,
            state=outcome.state,
            data=data,
            paths=paths,
        )

    def interrupted(self, signum: int, run: BatchRun) -> KreaError:
        """
        Return the error for a signal: what is saved, what keeps running, and how to
        continue. With `--cancel-on-interrupt`, cancel the running jobs first.
        """
        ctx = self._ctx
        signals.ignore()
        for stream in ctx.invocation.streams:
            stream.leave()
        running, completed = self._open_jobs(run)
        words, cancelled = [SignalError(signum).message], list[str]()
        if ctx.invocation.run.cancel_on_interrupt and running:
            cancelled = ctx.jobs.cancel_all(running, seconds=CANCEL_SECONDS)
            run.note_cancelled(cancelled)
            running = [job_id for job_id in running if job_id not in cancelled]
        if cancelled:
            jobs = "1 job" if len(cancelled) == 1 else f"{len(cancelled)} jobs"
            words.append(f"Cancelled {jobs}.")
        words += self._state(run, running, completed, is_begun=bool(cancelled))
        hints = list[Hint]([self._continue(again=bool(cancelled))])
        if running:
            stop = Action.STOP_ALL if len(running) > 1 else Action.STOP
            hints.append(Step(stop, tuple(self._references(running))))
        return SignalError(signum).but(*hints, message=" ".join(words))

    def ended_early(
        self, error: KreaError, run: BatchRun, not_written: KreaError | None
    ) -> KreaError:
        """
        Return the error that ended the run, together with what is saved, what keeps
        running, and how to continue. `not_written` is the error of an incomplete lock.
        """
        running, completed = self._open_jobs(run)
        words = [error.message, *self._state(run, running, completed)]
        if not_written is not None:
            words.append(not_written.message)
        return error.but(self._continue(again=False), message=" ".join(words))

    def leave(self, run: BatchRun) -> None:
        """
        Tell the tracker which jobs are finished, because another report follows.
        """
        running, completed = run.open_jobs()
        for job_id in self._ctx.tracker.summary().pending:
            if job_id not in (*running, *completed):
                self._ctx.tracker.ended_without_result(job_id)

    def _open_jobs(self, run: BatchRun) -> tuple[list[str], list[str]]:
        """
        Return the running jobs, and the completed jobs that are not saved. Mark all
        jobs as reported, so that no other report repeats them.
        """
        running, completed = run.open_jobs()
        # Only the tracker knows a job that arrived at the last moment.
        known = {*running, *completed, *run.finished_jobs()}
        pending = self._ctx.tracker.summary().pending
        running += [job for job in pending if job not in known]
        self._ctx.tracker.reported()
        return running, completed

    def _state(
        self,
        run: BatchRun,
        running: Sequence[str],
        completed: Sequence[str],
        *,
        is_begun: bool = False,
    ) -> list[str]:
        saved = sum(outcome.is_there for outcome in run.outcomes.values())
        is_begun = bool(is_begun or running or completed or saved)
        return state_of_jobs(
            saved=f"{saved} of {self._total}" if is_begun else None,
            running=len(running),
            completed=len(completed),
            is_billed=bool(self._billed),
        )

    @property
    def _billed(self) -> str:
        """
        Return the words about the cost of running jobs, or "" in the sandbox.
        """
        return "" if self._ctx.service.is_sandbox else " and will be billed"

    def _references(self, job_ids: Sequence[str]) -> list[str]:
        """
        Return references to the jobs for a command line. Several jobs of a run have one
        reference.
        """
        runs = dict.fromkeys(job_ids, "")
        with suppress(JournalError):
            found = self._ctx.records.outputs(job_ids)
            runs |= {job_id: job.run for job_id, job in found.items()}
        counts = Counter(runs.values())
        words = [
            run_ref(run) if run and counts[run] > MAX_NAMED else job_id
            for job_id, run in runs.items()
        ]
        return list(dict.fromkeys(words))

    def _make_again(self, lead: str, what: str, which: str) -> str:
        """
        Return the hint with the command that makes items again. `which` is the value of
        `--again`.
        """
        billed = " (billed)" if self._billed else ""
        lead = f"{lead} {what} again{billed}"
        if self._given.source == "-":
            way = shell_words.join(["--again", which])
            return f"{lead} with the same command, the same input and {way}."
        command = same_command(
            self._ctx.invocation.argv,
            service=self._ctx.next_steps.service,
            without=["--collect", "--github"],
            without_value=_ONLY_ONCE,
            more=["--again", which],
        )
        return f"{lead}: {command}"

    def _continue(self, *, again: bool, lead: str = "Continue") -> str:
        """
        Return the hint with the command that continues without paying twice. With
        `again`, this command also makes cancelled items again.
        """
        options, argv = self._given.options, self._ctx.invocation.argv
        if self._given.source == "-":
            return f"{lead} with the same command and the same input."
        more = list[str]()
        if options.limit is not None:
            left = options.limit - self._submitted
            more = ["--limit", str(left)] if left > 0 else ["--collect"]
        if again and more != ["--collect"]:
            more += ["--again", "cancelled"]
        unfit = ["--github"]
        unfit += ["--sure", "--no-wait"] if more == ["--collect"] else []
        command = same_command(
            argv,
            service=self._ctx.next_steps.service,
            without=unfit,
            without_value=_ONLY_ONCE,
            more=more,
        )
        return f"{lead}: {command}"

    def _with_paths(self, job: Job) -> Job:
        """
        Return the job with the paths of its files as seen from the current folder.
        """
        files = [replace(file, path=self._shown(file.path)) for file in job.files]
        return replace(job, files=tuple(files))

    def finish(
        self,
        run: BatchRun,
        github: GithubStep | None,
        unmet: dict[str, KreaError],
        not_written: KreaError | None,
    ) -> None:
        """
        Report the summary, and pass it on to the next step of a GitHub workflow.
        `not_written` is the error of an incomplete lock.

        Raises:
            KreaError: an item failed or is unfinished, or the lock is incomplete.
        """
        ctx, outcomes = self._ctx, list(run.outcomes.values())
        ctx.console.note(run_summary(outcomes, is_sandbox=ctx.service.is_sandbox))
        not_handed_on = self._hand_on(github, outcomes) if github else None
        ctx.tracker.reported()
        errors = self._errors(run, unmet, not_written)
        if not_handed_on is not None:
            errors.append(not_handed_on)
        if not errors:
            return
        good = sum(
            (outcome.is_there and outcome.step.output not in unmet)
            or outcome.state == "submitted"
            for outcome in outcomes
        )
        hints = self._ways_out(outcomes)
        if not_written is not None:
            hints.append(
                "Run the same command on this computer: its journal lists the jobs "
                "that are missing from the lock."
            )
        bad = len(outcomes) - good
        if len(errors) == 1 and not (good and bad):
            raise errors[0].but(*hints)
        have = "has an error" if bad == 1 else "have errors"
        message = f"{bad} of {len(outcomes)} items {have}, shown above."
        raise CombinedError(errors, succeeded=good).but(*hints, message=message)

    def _errors(
        self,
        run: BatchRun,
        unmet: Mapping[str, KreaError],
        not_written: KreaError | None,
    ) -> list[KreaError]:
        """
        Return the errors of the run, each with the name of its item. An error that many
        items have in common is returned once.
        """
        outcomes = list(run.outcomes.values())
        errors = list[KreaError]()
        running = [each for each in outcomes if each.state == "running"]
        for outcome in outcomes:
            error = outcome.error or unmet.get(outcome.step.output)
            if error is not None and not (len(running) > 1 and outcome in running):
                named = _named(error, outcome.step)
                errors.append(self._with_state(named, outcome))
        if len(running) > 1:
            errors.append(
                WaitTimeoutError(
                    f"{len(running)} jobs are still running{self._billed}.",
                    job_id=running[0].job.job_id if running[0].job else None,
                )
            )
        left = sum(each.state == "unsubmitted" for each in outcomes)
        is_about_lock = run.ended_by is not None and run.ended_by is run.write_error
        if not_written is not None and not (is_about_lock and left):
            errors.append(not_written)
        # An earlier error of the lock does not matter if the lock could be written in
        # the end and all items were submitted.
        if run.ended_by is not None and (left or not is_about_lock):
            errors.append(_with_unsubmitted(run.ended_by, left))
        elif left:
            errors.append(
                WaitTimeoutError(f"Timed out before {_items(left)} submitted.")
            )
        return errors

    def _with_state(self, error: KreaError, outcome: ItemOutcome) -> KreaError:
        """
        Add to an error that the job could not be checked and may still complete. Other
        errors are returned unchanged.
        """
        is_known = not isinstance(error, UnknownJobError | JobDeletedError)
        if outcome.state != "unchecked" or not is_known or not outcome.job:
            return error
        return error.but(
            message=f"{error.message} So its job could not be checked. The job may "
            f"still complete{self._billed}.",
            job_id=outcome.job.job_id,
            advice=(),
        )

    def _ways_out(self, outcomes: Sequence[ItemOutcome]) -> list[Hint]:
        """
        Return the commands that continue from here, each of them once.
        """
        states = {_end_of(outcome) for outcome in outcomes}
        hints = list[Hint]()
        if "unconfirmed" in states:
            steps = [each.step for each in outcomes if _end_of(each) == "unconfirmed"]
            hints += unconfirmed_hints(steps, self._make_again)
        for state in ("failed", "cancelled"):
            if state in states and self._given.source != "-":
                hints.append(self._make_again("Make", f"the {state} items", state))
        gone = [
            outcome.step.output
            for outcome in outcomes
            if isinstance(outcome.error, UnknownJobError | JobDeletedError)
        ]
        if len(gone) == 1 and self._given.source != "-":
            hints.append(self._make_again("Make", gone[0], gone[0]))
        if states & {"running", "unsubmitted", "unchecked", "unsaved"}:
            exists = [isinstance(each.error, TargetExistsError) for each in outcomes]
            lead = "Move the existing files away, then continue" * any(exists)
            hints.append(self._continue(again=False, lead=lead or "Continue"))
        return hints

    def _hand_on(
        self, github: GithubStep, outcomes: Sequence[ItemOutcome]
    ) -> KreaError | None:
        paid, fetched, unchanged = list[Job](), list[Job](), list[Job]()
        for outcome in outcomes:
            job = self._files.saved.get(outcome.step.output) or outcome.job
            if job is not None:
                job = self._with_paths(job)
                (paid if outcome.is_paid else fetched).append(job)
            elif outcome.state == "unchanged" or outcome.files:
                kept = _job_of(outcome.step, outcome.state, files=outcome.files)
                unchanged.append(self._with_paths(kept))
        error = None
        if unchanged:
            error = github.report(unchanged, is_paid=False, is_listed=False)
        if fetched:
            error = github.report(fetched, is_paid=False) or error
        return github.report(paid, is_paid=True) or error if paid else error


def _job_of(step: PlanStep, state: str, *, files: Sequence[LockedFile] = ()) -> Job:
    """
    Return the job of an item without work in this run, as the lock records it.
    """
    line, request = step.line or step.found, step.planned.request
    files = files or (line.files if line else ())
    return Job(
        job_id=(line.job if line else None) or "",
        status=line.state if line else state,
        model=request.model.id if request else None,
        cost_usd=line.usd if line else step.usd,
        files=tuple(
            SavedFile(
                path=file.path,
                url="",
                media_type=file.media_type,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                width=file.width,
                height=file.height,
            )
            for file in files
        ),
    )


def _named(error: KreaError, step: PlanStep) -> KreaError:
    """
    Return the error with the name of its item in the message.
    """
    message = error.message
    job = f"Job {error.job_id} "
    # It is unknown whether a deleted job was billed.
    is_gone = isinstance(error, UnknownJobError | JobDeletedError)
    if message.startswith(job) and not is_gone:
        message = f"{step.shown} {message.removeprefix(job)}"
    elif step.shown not in message:
        message = f"{step.shown}: {message}"
    if isinstance(error, WaitTimeoutError | UnconfirmedSubmissionError):
        # The same batch command continues with the job, so other advice would mislead.
        return error.but(message=message, advice=())
    if isinstance(error, JobFailedError | JobCancelledError) and not is_gone:
        kind = "Failed" if isinstance(error, JobFailedError) else "Cancelled"
        is_known = error.job_id is not None and f"{kind.lower()} earlier" not in message
        words = f" {kind} jobs are not billed." if is_known else ""
        return error.but(message=f"{message}{words}", advice=())
    return error.but(message=message)


def _end_of(outcome: ItemOutcome) -> str:
    """
    Return the state of an item, for the choice of hints. A rejected request has no job,
    and counts as not submitted.
    """
    if outcome.state in ("failed", "cancelled"):
        has_job = outcome.job is not None or outcome.step.sign == Sign.ENDED
        return outcome.state if has_job else "unsubmitted"
    return outcome.state


def _with_unsubmitted(error: KreaError, left: int) -> KreaError:
    """
    Return the error that stopped submission, with the number of items not submitted.
    """
    if isinstance(error, UnconfirmedSubmissionError):
        error = UnconfirmedSubmissionError(
            f"Stopped submitting: {MAX_UNCONFIRMED} requests in a row are unconfirmed."
        )
    if not left:
        return error
    return error.but(message=f"{error.message} {_items(left)} not submitted.")


def _items(count: int) -> str:
    return "1 item was" if count == 1 else f"{count} items were"
