"""
Carry out a batch: submit, wait, save, and report the outcome of each item.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krea_cli.api.models import Job
from krea_cli.batch.journal_lines import time_text
from krea_cli.batch.lock import Lock
from krea_cli.batch.plan import UP_TO_DATE, Plan, PlanStep, Sign
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.batch.shown_path import shown_path
from krea_cli.cli import collaborators
from krea_cli.cli.context import CliContext
from krea_cli.commands.describe_batch import automatic_values, plan_summary
from krea_cli.commands.plan_batch import BatchGiven, BatchPlanning
from krea_cli.commands.report_batch import BatchReport
from krea_cli.config.numbers import parse_size
from krea_cli.downloads.downloader import ResultDownloader
from krea_cli.downloads.output_options import OutputOptions
from krea_cli.errors import (
    Action,
    InvalidResponseError,
    KreaError,
    Step,
    StorageError,
    UnconfirmedSubmissionError,
    UsageError,
)
from krea_cli.files.atomic_file import check_folder
from krea_cli.jobs import job_errors
from krea_cli.jobs.keyed_submission import KeyedJob, KeyedSubmitter
from krea_cli.jobs.polling import Poller
from krea_cli.operations.batch_files import BatchFiles
from krea_cli.operations.batch_outcome import (
    BatchLimits,
    BatchTools,
)
from krea_cli.operations.batch_run import BatchRun
from krea_cli.operations.plan_output import unmet_expectations
from krea_cli.operations.result_names import ResultNames
from krea_cli.operations.wait import MAX_POLL_SECONDS
from krea_cli.output.batch_progress import BatchWork
from krea_cli.runtime.os_reasons import reason_of
from krea_cli.runtime.signals import Interrupted

if TYPE_CHECKING:
    from krea_cli.batch.lock_file import LockFile
    from krea_cli.downloads.output_target import OutputTarget
    from krea_cli.downloads.publish import Publisher
    from krea_cli.jobs.poll_timing import PollTiming
    from krea_cli.jobs.submission import RequestSubmitter
    from krea_cli.operations.github_step import GithubStep
    from krea_cli.output.batch_progress import BatchProgress

# The number of jobs to fetch from the service's list.
MAX_LISTED = 100
# Without a lock, jobs from this period may belong to the batch.
LOOK_BACK_SECONDS = 24 * 3600.0


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
        KreaError: an item failed or is unfinished, or the run ended early.
    """
    _warn_unusable(ctx, plan)
    if given.options.looks_for_lost_jobs and any(step.is_paid for step in plan.steps):
        _look_for_lost_jobs(ctx, lock, is_sure=given.options.sure)
    deadline = math.inf if timeout is None else ctx.clock.now() + timeout
    work = _Work(ctx, given, planning, lock, disk, deadline)
    work.prepare(plan)
    is_new = not planning.lock_file.path.exists()
    _prepare_lock(planning.lock_file, work.files, plan)
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
    report = BatchReport(ctx, given, plan, work.files, planning.shown)
    if any(step.is_paid for step in plan.steps):
        for note in automatic_values(plan):
            ctx.console.note(note)
        ctx.console.note(plan_summary(plan))
    with ctx.console.batch_progress(_work_of(plan, work.timing)) as progress:
        not_written = _run(run, report, planning, progress)
    if is_new and not ctx.service.is_sandbox and planning.lock_file.path.exists():
        _advise_to_keep(ctx, planning.lock_file)
    report.finish(run, github, work.unmet, not_written)


def _prepare_lock(lock_file: LockFile, files: BatchFiles, plan: Plan) -> None:
    """
    Add to the lock the lines that only this machine's journal has, so that other
    machines neither repeat nor lose these requests. If the run will pay, first check
    that the results and the lock can be written.

    Raises:
        StorageError: the lock or a result cannot be written.
    """
    is_new = not lock_file.path.exists()
    _make_folder(lock_file.path.parent)
    paid = [step for step in plan.steps if step.is_paid]
    if paid:
        files.check_folders(paid)
        try:
            check_folder(Path(shown_path(lock_file.path.parent)))
        except StorageError as exc:
            raise exc.but(
                message=f"The lock {lock_file.shown} cannot be written. {exc.message}",
                advice=("Choose another place for it with --lock.",),
            ) from exc.__cause__
    if plan.unlisted or (paid and not is_new):
        lock_file.append(plan.unlisted)


def _run(
    run: BatchRun,
    report: BatchReport,
    planning: BatchPlanning,
    progress: BatchProgress,
) -> KreaError | None:
    """
    Carry out the run, and report its events. Return the error that kept lines out of
    the lock, or None if the lock is complete.

    Raises:
        KreaError: the run ended early.
    """
    try:
        with closing(run.events()) as events:
            for event in events:
                report.event(event, progress)
    except Interrupted as exc:
        with suppress(KreaError):
            planning.note_interrupted(step for step in run.steps if step.is_paid)
        error = report.interrupted(exc.signum, run)
        _close_lock(planning.lock_file, run)
        raise error from None
    except KreaError as exc:
        not_written = _close_lock(planning.lock_file, run)
        raise report.ended_early(exc, run, not_written) from exc.__cause__
    except Exception:
        _close_lock(planning.lock_file, run)
        report.leave(run)
        raise
    return _close_lock(planning.lock_file, run)


def _advise_to_keep(ctx: CliContext, lock: LockFile) -> None:
    ctx.console.note(
        f"Keep {lock.shown} under version control: it records what you have paid for."
    )
    ctx.console.note(
        f"With git, also add this line to .gitattributes: {lock.path.name} merge=union"
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StorageError(
            f"Cannot create the folder {shown_path(folder)}: {reason_of(exc)}."
        ) from exc


def _close_lock(lock_file: LockFile, run: BatchRun) -> KreaError | None:
    """
    Sort the lock, and add the lines that could not be written before. Return the error
    if that fails, instead of raising it: it must not hide the outcome of the run.
    """
    if not run.unwritten and not lock_file.path.exists():
        return None
    try:
        lock_file.replace(run.unwritten)
    except KreaError as exc:
        # Jobs may have been submitted, so this must not look like a usage error.
        return StorageError(exc.message, hint=exc.advice)
    return None


def _work_of(plan: Plan, timing: PollTiming) -> BatchWork:
    """
    Return the items that the run has to work on, for the progress display.
    """
    return BatchWork(
        models={
            step.shown: step.planned.request.model.id if step.planned.request else None
            for step in plan.steps
            if step.sign not in UP_TO_DATE or step.copy_of or step.error
        },
        estimate_usd=plan.cost_usd,
        usual_seconds=timing.usual_seconds_of,
    )


def _warn_unusable(ctx: CliContext, plan: Plan) -> None:
    for step in plan.steps:
        if step.sign == Sign.UNUSABLE and step.error is not None:
            ctx.console.warn(f"{step.shown} is left out: {step.error.message}")


def _look_for_lost_jobs(ctx: CliContext, lock: Lock, *, is_sure: bool) -> None:
    """
    Check the service's list of jobs once for jobs that are missing from the lock. A
    machine may have died before its lock was saved, or the lock may be lost.

    Raises:
        UnconfirmedSubmissionError: with `--sure`, a job may belong to this batch.
        KreaError: the list cannot be fetched.
    """
    newest = lock.newest
    since = newest or time_text(ctx.clock.wall() - LOOK_BACK_SECONDS)
    try:
        listed = ctx.connection.api.jobs(limit=MAX_LISTED).jobs
    except (InvalidResponseError, UsageError):
        if is_sure:
            raise
        return
    # Krea's list has no models, so only times can be compared. The lock has whole
    # seconds.
    found = [
        job.job_id
        for job in listed
        if job.created is not None
        and time_text(job.created) >= since
        and not lock.is_known(job.job_id)
        and ctx.records.find_if_readable(job.job_id) is None
    ]
    if not found:
        return
    jobs = "1 job" if len(found) == 1 else f"{len(found)} jobs"
    which = "newer than all jobs in the lock"
    if newest is None:
        which = "from the last 24 hours that this computer did not submit"
    verb = "It" if len(found) == 1 else "They"
    message = (
        f"Krea has {jobs} {which}: {found[0]}"
        f"{f' and {len(found) - 1} more' if len(found) > 1 else ''}. "
        f"{verb} may belong to this batch, which would then pay twice."
    )
    if is_sure:
        raise UnconfirmedSubmissionError(
            f"{message} Nothing was submitted.",
            hint=(
                Step(Action.LIST_REMOTE),
                (
                    "If one of them belongs to this batch, a run would pay for it "
                    "twice. If none does, run the same command without --sure."
                ),
            ),
        )
    ctx.console.warn(message)
    ctx.console.note(f"List the jobs of your account: {ctx.next_steps.list_remote()}")


@dataclass
class _Work:
    """
    The collaborators of a run over a batch.
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
        # Create the collaborators now: two threads must not create one at once.
        for each in (ctx.database, ctx.journal, ctx.tracker, ctx.jobs, ctx.records):
            assert each is not None  # noqa: S101  (accessing it creates it)
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
        Create the submitters that several threads will share.
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
            before_attempt=gate,
        )

    def _poller(self, sleep: Callable[[float], None]) -> Poller:
        ctx, deadline = self.ctx, self.deadline

        def soon() -> float:
            return min(deadline, ctx.clock.now() + MAX_POLL_SECONDS)

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
            fetch_job=ctx.jobs.fetch,
            send=ctx.console.stdout.send,
            publisher=publisher,
            max_bytes=parse_size(most) if most else None,
        )

    def _finish(self, step: PlanStep, job: Job) -> None:
        options = self._options(step)
        if options.sidecar:
            collaborators.sidecar_writer(self.ctx, options).write(job)
        expected = collaborators.output_planner(self.ctx, options).expectations()
        if unmet := unmet_expectations(job, expected):
            self.unmet[step.output] = job_errors.expectation_error(job, unmet)


class _TimedPoller(Poller):
    """
    A poller that also adds its jobs to `timing`, which decides when to poll next.
    """

    def __init__(self, timing: PollTiming, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timing = timing

    def add(self, job: Job) -> None:
        self._timing.add(job)
        super().add(job)
