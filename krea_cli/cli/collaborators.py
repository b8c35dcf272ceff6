"""
Build collaborators that several commands need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from krea_cli.cli.context import CliContext
from krea_cli.jobs.deadline import wait_seconds
from krea_cli.operations.plan_output import OutputPlanner, unmet_expectations

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.downloads.output_options import OutputOptions
    from krea_cli.downloads.output_target import FilenameFields, OutputTarget
    from krea_cli.errors import StorageError
    from krea_cli.files.file_identity import FileIdentity
    from krea_cli.inputs.upload_cache import UploadCache
    from krea_cli.jobs.poll_timing import PollTiming
    from krea_cli.jobs.schedule import Guess
    from krea_cli.operations.collect import CollectContext
    from krea_cli.operations.github_step import GithubStep
    from krea_cli.operations.remembered_output import (
        RememberedOutput,
        RememberedSaver,
        RunSaver,
    )
    from krea_cli.operations.renew_catalog import CatalogRenewal
    from krea_cli.operations.resolve_unconfirmed import UnconfirmedResolver
    from krea_cli.operations.result_indexes import ResultIndexes, RunIndexes
    from krea_cli.operations.save import ResultSaver
    from krea_cli.operations.sidecars import SidecarWriter
    from krea_cli.runtime.worker_pool import WorkerPool


def deadline(
    ctx: CliContext,
    timeout: float | None,
    *,
    kinds: Iterable[str] = (),
    since: float | None = None,
) -> float:
    """
    Return the time, by `clock.now`, when waiting ends. It started at `since`, by
    default now.
    """
    began = ctx.clock.now() if since is None else since
    return began + wait_seconds(timeout, ctx.settings.timeout, kinds)


def catalog_renewal(ctx: CliContext) -> CatalogRenewal:
    from krea_cli.operations.renew_catalog import CatalogRenewal

    folders = ctx.folders
    return CatalogRenewal(
        catalog=ctx.catalog,
        fetch=lambda: ctx.connection.api_with(None).openapi(),
        folder=folders.cache if folders.has_cache else None,
        origin=ctx.service.origin,
        now=ctx.clock.wall,
        note=ctx.console.note,
        is_final=ctx.service.is_sandbox,
    )


def upload_cache(ctx: CliContext) -> UploadCache:
    from krea_cli.inputs.upload_cache import UploadCache

    return UploadCache(ctx.database, ctx.service.name, now=ctx.clock.wall)


def output_planner(ctx: CliContext, output: OutputOptions) -> OutputPlanner:
    return OutputPlanner(
        options=output,
        console=ctx.console,
        env=ctx.env,
        writes_json=ctx.invocation.flags.json,
        for_github=ctx.invocation.run.github,
    )


def sidecar_writer(
    ctx: CliContext, output: OutputOptions, *, replaces: Sequence[FileIdentity] = ()
) -> SidecarWriter:
    from krea_cli.operations.sidecars import SidecarWriter

    return SidecarWriter(output, ctx.records, warn=ctx.console.warn, replaces=replaces)


def result_saver(
    ctx: CliContext,
    target: OutputTarget,
    output: OutputOptions,
    *,
    default_names: FilenameFields | None = None,
    keeps_indexes: bool = False,
    replaces: Sequence[FileIdentity] = (),
    indexes: ResultIndexes | None = None,
    pool: WorkerPool | None = None,
) -> ResultSaver:
    """
    Return a saver of results to `target`. `default_names` are for jobs without a
    record. Files unchanged since `replaces` are replaced even without --force. The
    other arguments are those of `SaveContext`.
    """
    from krea_cli.downloads.downloader import ResultDownloader
    from krea_cli.downloads.publish import Publisher
    from krea_cli.operations.result_indexes import CountedIndexes
    from krea_cli.operations.result_names import ResultNames
    from krea_cli.operations.save import ResultSaver, SaveContext

    downloader = ResultDownloader(
        ctx.connection.download_client,
        ctx.clock,
        target,
        fetch_job=ctx.jobs.fetch,
        send=ctx.console.stdout.send,
        publisher=Publisher(
            force=output.force,
            quality=output.quality_out,
            warn=ctx.console.warn,
            replaces=replaces,
        ),
        max_bytes=output.max_size,
    )
    return ResultSaver(
        SaveContext(
            downloader=downloader,
            names=ResultNames(ctx.records, ctx.clock, default=default_names),
            sidecars=sidecar_writer(ctx, output, replaces=replaces),
            records=ctx.records,
            tracker=ctx.tracker,
            indexes=indexes or CountedIndexes(),
            keeps_indexes=keeps_indexes,
            pool=pool,
        )
    )


def saver_of_runs(
    ctx: CliContext,
    given: OutputOptions,
    job_ids: Sequence[str],
    *,
    default: OutputOptions | None = None,
) -> RememberedSaver | None:
    """
    Return a saver for each job to the output of its own run, or None if there is
    nothing to save. The options `given` now override those of the run; a given -o
    applies to all jobs. `default` is for jobs of runs without -o. Without `default`,
    these are saved under the default names, and jobs of runs that save nothing are not
    saved.

    Raises:
        KreaError: the results cannot be saved there.
    """
    from krea_cli.downloads.parallel import MAX_THREADS
    from krea_cli.operations.remembered_output import (
        RememberedOutput,
        RememberedSaver,
    )
    from krea_cli.operations.result_indexes import RunIndexes
    from krea_cli.runtime.worker_pool import WorkerPool

    pool = WorkerPool(MAX_THREADS)
    savers = []
    rest = dict.fromkeys(job_ids)
    is_given = given.output is not None
    default = given if is_given else default
    runs = {} if is_given else _jobs_by_run(ctx, job_ids)
    for run, jobs in runs.items():
        if jobs.output is None:
            continue
        output = RememberedOutput.from_json(jobs.output).with_given(given)
        if default and output.is_default:
            output = output.elsewhere(default.output)
        indexes = RunIndexes(ctx.records.run_results(run))
        savers.append(_run_saver(ctx, jobs.job_ids, output, indexes, pool))
        for job_id in jobs.job_ids:
            del rest[job_id]
    if rest and default:
        output = RememberedOutput(options=default, count=len(rest))
        savers.append(_run_saver(ctx, list(rest), output, None, pool))
    return RememberedSaver(savers, pool) if savers else None


def name_run(ctx: CliContext, job_ids: Sequence[str], *, is_remembered: bool) -> None:
    """
    Let hints refer to the jobs as @RUN if they are exactly the jobs of one run. With
    `is_remembered`, hints leave out output options that the journal has.
    """
    runs = _jobs_by_run(ctx, job_ids)
    knows_all = sum(len(each.job_ids) for each in runs.values() if each.output)
    run = next(iter(runs)) if len(runs) == 1 else None
    if run and len(job_ids) > 1:
        all_jobs = [each.job_id for each in ctx.records.run_results(run)]
        run = run if all_jobs == list(job_ids) else None
    ctx.tracker.set_run(run, is_remembered=is_remembered and knows_all == len(job_ids))


class _RunJobs(NamedTuple):
    output: Mapping[str, Any] | None
    job_ids: list[str]


def _jobs_by_run(ctx: CliContext, job_ids: Sequence[str]) -> dict[str, _RunJobs]:
    found = dict[str, _RunJobs]()
    for job_id, job in ctx.records.outputs(job_ids).items():
        found.setdefault(job.run, _RunJobs(job.output, [])).job_ids.append(job_id)
    return found


def _run_saver(
    ctx: CliContext,
    job_ids: Sequence[str],
    output: RememberedOutput,
    indexes: RunIndexes | None,
    pool: WorkerPool,
) -> RunSaver:
    from krea_cli.operations.remembered_output import RunSaver

    planner = output_planner(ctx, output.options)
    sidecar_writer(ctx, output.options).check(job_ids)
    # An existing file may be the result itself.
    target = planner.plan(count=output.count, force=True)
    expected = planner.expectations()
    return RunSaver(
        job_ids=frozenset(job_ids),
        output=output,
        target=target,
        indexes=indexes,
        saver=result_saver(
            ctx,
            target,
            output.options,
            indexes=indexes,
            keeps_indexes=indexes is not None,
            replaces=output.replaces,
            pool=pool,
        ),
        unmet=lambda job: unmet_expectations(job, expected),
    )


def poll_timing(ctx: CliContext) -> PollTiming:
    from krea_cli.jobs.deadline import model_kinds
    from krea_cli.jobs.poll_timing import PollTiming
    from krea_cli.jobs.schedule import GUESS_BY_KIND, guess_for

    def guess(job: Job) -> Guess:
        if ctx.service.is_sandbox:
            return GUESS_BY_KIND["sandbox"]
        models = ctx.catalog.with_id(job.model) if job.model else ()
        kinds = model_kinds([job], models)
        return guess_for(job.model, next(iter(kinds), None))

    return PollTiming(lambda: ctx.history, ctx.clock, guess=guess, log=ctx.log)


def collect_context(
    ctx: CliContext,
    planner: OutputPlanner,
    *,
    unmet: Callable[[Job], Sequence[str]] | None = None,
) -> CollectContext:
    """
    Return the collaborators for collecting jobs. `unmet` checks jobs that have their
    own expectations; by default all jobs have those of `planner`.
    """
    from krea_cli.operations.collect import CollectContext
    from krea_cli.operations.review import ResultReview
    from krea_cli.sandbox import MAX_RESULT_SIDE

    review = ResultReview(
        catalog=lambda: ctx.catalog,
        records=ctx.records,
        # A service on this computer may be the sandbox, which scales pictures down.
        max_side=MAX_RESULT_SIDE if ctx.service.is_local else None,
    )
    expected = planner.expectations()
    return CollectContext(
        service=ctx.jobs,
        timing=poll_timing(ctx),
        console=ctx.console,
        clock=ctx.clock,
        tracker=ctx.tracker,
        review=review.remarks,
        unmet=unmet or (lambda job: unmet_expectations(job, expected)),
        # `next_steps` depends on the state of the run at the time of the call.
        wait_command=lambda job_ids: ctx.next_steps.wait(job_ids),  # noqa: PLW0108
        report_error=ctx.report_error,
    )


def unconfirmed_resolver(ctx: CliContext) -> UnconfirmedResolver:
    from krea_cli.operations.resolve_unconfirmed import UnconfirmedResolver

    return UnconfirmedResolver(
        recovery=ctx.recovery,
        tracker=ctx.tracker,
        console=ctx.console,
        prompter=ctx.prompter,
        clock=ctx.clock,
        report=ctx.report_error,
        keeps_journal=not ctx.invocation.run.no_journal,
        may_ask=not ctx.invocation.flags.quiet,
    )


def github_step(ctx: CliContext) -> GithubStep | None:
    """
    Check the GitHub Actions step to report to, and return it, or None without --github.
    """
    if not ctx.invocation.run.github:
        return None
    from krea_cli.operations.github_step import GithubStep

    step = GithubStep(
        env=ctx.env,
        tracker=ctx.tracker,
        next_steps=lambda: ctx.next_steps,
        warn=ctx.console.warn,
    )
    step.check()
    return step


def hand_on(
    step: GithubStep | None, *, is_paid: bool
) -> Callable[[Sequence[Job]], StorageError | None] | None:
    return partial(step.report, is_paid=is_paid) if step else None


def previewer(
    ctx: CliContext, *, wanted: bool | None, before: Path | None = None
) -> Callable[[Sequence[Job]], object]:
    """
    Return a function that shows the pictures of jobs in the terminal. Query the
    terminal's capabilities at once, so that its response is there when jobs finish.
    """
    from krea_cli.operations.preview import preview
    from krea_cli.output.graphics.capabilities import TerminalQuery

    terminal = TerminalQuery(ctx.console.stdout, ctx.env)
    if wanted is not False and ctx.console.may_preview:
        ctx.exit_stack.callback(terminal.close)
        terminal.start()
    return partial(
        preview,
        console=ctx.console,
        env=ctx.env,
        log=ctx.log,
        show_command=ctx.next_steps.show,
        terminal=terminal,
        wanted=wanted,
        before=before,
    )
