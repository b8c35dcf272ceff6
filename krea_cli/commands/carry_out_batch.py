"""
The real run of a batch: submit, wait, save, and tell what became of each item.
"""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krea_cli.api.models import Job
from krea_cli.batch.journal_lines import time_text
from krea_cli.batch.lock import Lock
from krea_cli.batch.plan import Plan, PlanStep, Sign
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.batch.sources import Kind
from krea_cli.cli import collaborators, next_steps
from krea_cli.cli.context import CliContext
from krea_cli.commands.plan_batch import BatchGiven, BatchPlanning
from krea_cli.config.numbers import parse_size
from krea_cli.downloads.downloader import ResultDownloader
from krea_cli.downloads.output_options import OutputOptions
from krea_cli.errors import (
    CombinedError,
    KreaError,
    SignalError,
    UnconfirmedSubmissionError,
    WaitTimeoutError,
)
from krea_cli.jobs import job_errors
from krea_cli.jobs.keyed_submission import KeyedJob, KeyedSubmitter
from krea_cli.jobs.polling import Poller
from krea_cli.operations.batch_files import BatchFiles
from krea_cli.operations.batch_outcome import (
    BatchLimits,
    BatchTools,
    ItemOutcome,
    ItemSeen,
    ItemSubmitted,
)
from krea_cli.operations.batch_run import BatchRun
from krea_cli.operations.plan_output import unmet_expectations
from krea_cli.operations.result_names import ResultNames
from krea_cli.operations.wait import MOST_POLL_SECONDS
from krea_cli.output.human.format_text import dollars
from krea_cli.output.results.batch import BatchItem
from krea_cli.runtime import signals
from krea_cli.runtime.signals import Interrupted

if TYPE_CHECKING:
    from krea_cli.downloads.output_target import OutputTarget
    from krea_cli.downloads.publish import Publisher
    from krea_cli.jobs.poll_timing import PollTiming
    from krea_cli.jobs.submission import RequestSubmitter
    from krea_cli.operations.github_step import GithubStep
    from krea_cli.output.progress import Progress

# Below so many jobs a log has a line for each change of each job.
_MANY = 11


def carry_out(
    ctx: CliContext,
    given: BatchGiven,
    planning: BatchPlanning,
    plan: Plan,
    lock: Lock,
    disk: ResultsOnDisk,
    *,
    timeout: float | None,
    github: GithubStep | None,
) -> None:
    """
    Carry out the plan.

    Raises:
        KreaError: not every item is there.
    """
    _warn_unusable(ctx, plan)
    if given.options.looks_for_lost_jobs and any(step.is_paid for step in plan.steps):
        _look_for_lost_jobs(ctx, lock, is_sure=given.options.sure)
    deadline = math.inf if timeout is None else ctx.clock.now() + timeout
    work = _Work(ctx, given, planning, lock, disk, deadline)
    work.prepare(plan)
    is_new = not planning.lock_file.path.exists()
    planning.lock_file.path.parent.mkdir(parents=True, exist_ok=True)
    if plan.unlisted:
        planning.lock_file.append(plan.unlisted)
    run = BatchRun(
        plan.steps,
        work.tools(),
        BatchLimits(
            source=planning.source.name,
            service=planning.service,
            deadline=deadline,
            waits=not given.options.no_wait,
        ),
    )
    report = _Report(ctx, plan, work.files)
    try:
        with ctx.console.progress() as progress:
            progress.awaited(max(len(plan.steps), _MANY))
            for event in run.events():
                report.event(event, progress)
    except Interrupted as exc:
        raise _interrupted(ctx, given, planning, report, exc.signum) from None
    finally:
        if planning.lock_file.path.exists():
            planning.lock_file.replace()
    is_real = not ctx.service.is_sandbox
    if is_new and is_real and planning.lock_file.path.exists():
        name = planning.lock_file.path.name
        ctx.console.note(
            f"Commit {name}: it says what is paid for. "
            f"In .gitattributes: {name} merge=union"
        )
    report.finish(run, github, work.unmet)


def _warn_unusable(ctx: CliContext, plan: Plan) -> None:
    for step in plan.steps:
        if step.sign == Sign.UNUSABLE and step.error is not None:
            ctx.console.warn(f"{step.output} is left out: {step.error.message}")


def _look_for_lost_jobs(ctx: CliContext, lock: Lock, *, is_sure: bool) -> None:
    """
    Look at the service's list once: a machine may have died before its lock was saved.

    Raises:
        UnconfirmedSubmissionError: with --sure, there are jobs that may be ours.
    """
    newest = lock.newest
    if newest is None:
        return
    found = [
        job.job_id
        for job in ctx.connection.api.jobs(limit=100).jobs
        if job.created is not None
        and time_text(job.created) > newest
        and not lock.is_known(job.job_id)
        and ctx.records.find_if_readable(job.job_id) is None
    ]
    if not found:
        return
    are = "1 job" if len(found) == 1 else f"{len(found)} jobs"
    message = f"{are} newer than the lock may belong to this batch: {found[0]}."
    if is_sure:
        raise UnconfirmedSubmissionError(
            f"{message} Nothing was submitted.",
            hint=f"See the list: {ctx.next_steps.list_remote()}",
        )
    ctx.console.warn(message)


def _interrupted(
    ctx: CliContext,
    given: BatchGiven,
    planning: BatchPlanning,
    report: _Report,
    signum: int,
) -> KreaError:
    """
    Return the error that says what is saved, what keeps running, and how to go on.
    """
    signals.ignore()
    for stream in ctx.invocation.streams:
        stream.leave()
    running = ctx.tracker.summary().pending
    ctx.tracker.reported()
    message = f"{SignalError(signum).message} {report.there} items are there"
    hints = [_again(ctx, given, planning)]
    if running:
        jobs = "1 job keeps" if len(running) == 1 else f"{len(running)} jobs keep"
        message += f"; {jobs} running and will be billed"
        hints.append(f"Cancel: {ctx.next_steps.cancel([])}")
    return SignalError(signum).but(*hints, message=f"{message}.")


def _again(ctx: CliContext, given: BatchGiven, planning: BatchPlanning) -> str:
    if planning.source.kind == Kind.MANIFEST:
        return f"Continue: {next_steps.batch(ctx.next_steps, given.source)}"
    return "Continue with the same command: nothing is paid for twice."


@dataclass
class _Work:
    """
    The collaborators of a run over a batch, as it needs them.
    """

    ctx: CliContext
    given: BatchGiven
    planning: BatchPlanning
    lock: Lock
    disk: ResultsOnDisk
    deadline: float
    run: str = field(default_factory=lambda: str(uuid.uuid4()))
    unmet: dict[str, KreaError] = field(default_factory=dict)
    _submitters: dict[bool, RequestSubmitter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ctx = self.ctx
        self.timing = collaborators.poll_timing(ctx)
        self.names = ResultNames(ctx.records, ctx.clock)
        self.keyed = KeyedSubmitter(
            keys=self.planning.keys, fetch=ctx.jobs.fetch, clock=ctx.clock
        )
        self.files = BatchFiles(
            folder=self.planning.source.folder,
            disk=self.disk,
            lock=self.lock,
            records=ctx.records,
            downloader=self._downloader,
            naming=self.names.of_job,
            finish=self._finish,
            warn=ctx.console.warn,
            force=self.given.force,
        )

    def tools(self) -> BatchTools:
        ctx = self.ctx
        # The first use of a collaborator must not be in two threads at once.
        for each in (ctx.database, ctx.journal, ctx.tracker, ctx.jobs, ctx.records):
            assert each is not None  # noqa: S101  (it is made now)
        return BatchTools(
            submit=self._submit,
            fetch=ctx.jobs.fetch,
            fetch_many=ctx.jobs.fetch_many,
            save=self.files.save,
            copy=self.files.copy,
            record=self._record,
            poller=self._poller,
            clock=ctx.clock,
            time_text=lambda: time_text(ctx.clock.wall()),
        )

    def _record(self, lines: Sequence[Any]) -> None:
        self.planning.lock_file.append(lines)

    def _submitter(self, *, inline: bool) -> RequestSubmitter:
        if inline not in self._submitters:
            self._submitters[inline] = self.ctx.submitter(
                self.ctx.uploader(self.planning.images),
                inline=inline,
                keep_metadata=self.given.keeps_metadata,
                fit=self.planning.fits,
            )
        return self._submitters[inline]

    def prepare(self, plan: Plan) -> None:
        """
        Make what several threads are going to use.
        """
        for step in plan.steps:
            if step.is_paid:
                self._submitter(inline=step.planned.item.inline)

    def _submit(self, step: PlanStep, gate: Callable[[], None]) -> KeyedJob:
        item, request = step.planned.item, step.planned.request
        if item.needs or request is None:
            builder = self.planning.builder
            inputs = {text: builder.image(text) for text in item.needs}
            request = builder.request_of(item, inputs)
        submitter = self._submitter(inline=item.inline)
        submitter.prepare(request)
        return self.keyed.submit(
            submitter,
            request,
            step.planned.key,
            run=self.run,
            deadline=self.deadline,
            known=step.known,
            gate=gate,
        )

    def _poller(self, sleep: Callable[[float], None]) -> Poller:
        ctx, deadline = self.ctx, self.deadline

        def soon() -> float:
            return min(deadline, ctx.clock.now() + MOST_POLL_SECONDS)

        return _TimedPoller(
            self.timing,
            lambda job_id: ctx.jobs.fetch(job_id, deadline=soon()),
            deadline=deadline,
            clock=ctx.clock._replace(sleep=sleep),
            seconds_until_next_poll=self.timing.seconds_until_next_poll,
            fetch_many=lambda ids: ctx.jobs.fetch_many(ids, deadline=soon()),
        )

    def _options(self, step: PlanStep) -> OutputOptions:
        item = step.planned.item
        return OutputOptions(
            force=step.replaces or self.given.force,
            sidecar=item.sidecar,
            quality_out=item.quality_out,
            expect=item.expect or None,
        )

    def _downloader(
        self, step: PlanStep, target: OutputTarget, publisher: Publisher
    ) -> ResultDownloader:
        ctx, most = self.ctx, step.planned.item.max_size
        return ResultDownloader(
            ctx.connection.download_client,
            ctx.clock,
            target,
            look=ctx.jobs.fetch,
            send=ctx.console.stdout.send,
            placing=publisher,
            max_bytes=parse_size(most) if most else None,
        )

    def _finish(self, step: PlanStep, job: Job) -> None:
        options = self._options(step)
        if options.sidecar:
            collaborators.sidecar_writer(self.ctx, options).write(job)
        expected = collaborators.output_planner(self.ctx, options).expectations()
        if unmet := unmet_expectations(job, expected):
            self.unmet[step.output] = job_errors.unexpected(job, unmet)


class _TimedPoller(Poller):
    """
    A poller that has the times of the jobs it is given.
    """

    def __init__(self, timing: PollTiming, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timing = timing

    def add(self, job: Job) -> None:
        self._timing.add(job)
        super().add(job)


class _Report:
    """
    Tells what becomes of the items: each as it ends, then all of them.
    """

    def __init__(self, ctx: CliContext, plan: Plan, files: BatchFiles) -> None:
        self._ctx = ctx
        self._files = files
        self._numbers = {
            step.output: number for number, step in enumerate(plan.steps, start=1)
        }
        self._recorded = set[str]()
        self.there = 0

    def event(
        self, event: ItemSubmitted | ItemSeen | ItemOutcome, progress: Progress
    ) -> None:
        if isinstance(event, ItemOutcome):
            self._ended(event)
            return
        if isinstance(event, ItemSeen) and event.error is not None:
            progress.missed(event.job, event.error)
            return
        progress.seen(event.job)
        if isinstance(event, ItemSubmitted):
            self._ctx.tracker.submitted(event.job.job_id)
        if event.job.is_final and event.job.job_id not in self._recorded:
            self._recorded.add(event.job.job_id)
            self._ctx.jobs.record_outcome(event.job)

    def _ended(self, outcome: ItemOutcome) -> None:
        ctx, step, job = self._ctx, outcome.step, outcome.job
        self.there += outcome.is_there
        if job is not None and outcome.state not in ("running", "submitted"):
            ctx.tracker.ended_without_result(job.job_id)
        ctx.console.result([self._result(outcome)])
        if outcome.state == "unchanged":
            if step.sign == Sign.EDITED:
                ctx.console.note(f"{step.output} was edited and is left alone.")
            return
        price = job.cost_usd if job is not None and outcome.is_paid else None
        paid = f" ({dollars(price)})" if price is not None else ""
        if not ctx.console.stderr.is_terminal:
            ctx.console.note(f"{step.output}: {outcome.state}{paid}")

    def _result(self, outcome: ItemOutcome) -> BatchItem:
        step, line = outcome.step, outcome.step.line
        job = self._files.saved.get(step.output) or outcome.job
        job_id = line.job if line else None
        if job is None:
            state = line.state if line else outcome.state
            job = Job(job_id=job_id or "", status=state, cost_usd=step.usd)
        data = job.as_json()
        data["job_id"] = data["job_id"] or None
        paths: tuple[str, ...] = ()
        if outcome.state in ("made", "fetched"):
            folder = self._files.folder
            paths = tuple(_shown(folder / file.path) for file in outcome.files)
        elif outcome.state == "submitted":
            paths = (job.job_id,)
        return BatchItem(
            item=self._numbers[step.output],
            output=step.output,
            key=step.planned.key,
            state=outcome.state,
            data=data,
            paths=paths,
        )

    def finish(
        self, run: BatchRun, github: GithubStep | None, unmet: dict[str, KreaError]
    ) -> None:
        """
        Tell the sum of all, and hand it on to the next step of a workflow.

        Raises:
            KreaError: not every item is there.
        """
        ctx, outcomes = self._ctx, list(run.outcomes.values())
        self._summarize(outcomes)
        not_handed_on = self._hand_on(github, outcomes) if github else None
        ctx.tracker.reported()
        errors = [] if run.ended_by is None else [run.ended_by]
        for outcome in outcomes:
            error = outcome.error or unmet.get(outcome.step.output)
            if error is not None and error is not run.ended_by:
                errors.append(_named(error, outcome.step))
        if not_handed_on is not None:
            errors.append(not_handed_on)
        good = sum(
            (outcome.is_there and outcome.step.output not in unmet)
            or outcome.state == "submitted"
            for outcome in outcomes
        )
        if len(errors) == 1 and not good:
            raise errors[0]
        if errors:
            raise CombinedError(errors, succeeded=good)

    def _summarize(self, outcomes: Sequence[ItemOutcome]) -> None:
        counts = Counter(outcome.state for outcome in outcomes)
        words = ", ".join(f"{count} {state}" for state, count in counts.items())
        cost = sum(
            outcome.job.cost_usd or 0.0
            for outcome in outcomes
            if outcome.is_paid and outcome.job is not None and not _is_free(outcome)
        )
        self._ctx.console.note(f"{words or 'No items'}. This run: {dollars(cost)}.")

    def _hand_on(
        self, github: GithubStep, outcomes: Sequence[ItemOutcome]
    ) -> KreaError | None:
        paid, fetched = list[Job](), list[Job]()
        for outcome in outcomes:
            job = self._files.saved.get(outcome.step.output) or outcome.job
            if job is not None:
                (paid if outcome.is_paid else fetched).append(job)
        error = github.report(fetched, is_paid=False) if fetched else None
        return github.report(paid, is_paid=True) or error if paid else error


def _is_free(outcome: ItemOutcome) -> bool:
    return outcome.state in ("failed", "cancelled")


def _named(error: KreaError, step: PlanStep) -> KreaError:
    """
    The error with the name of its item.
    """
    if isinstance(error, WaitTimeoutError):
        # The run itself goes on with the job, and saves it under its name.
        error = error.but(advice=())
    if step.output in error.message:
        return error
    return error.but(message=f"{step.output}: {error.message}")


def _shown(path: Path) -> str:
    """
    A path as seen from the current folder, where it is below that.
    """
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
