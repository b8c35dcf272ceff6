"""
Collaborators that several commands take out of the context in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from krea_cli.cli.context import CliContext
from krea_cli.jobs.deadline import wait_seconds
from krea_cli.operations.plan_output import OutputPlanner, unmet_expectations

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.downloads.output_options import OutputOptions
    from krea_cli.downloads.output_target import FilenameFields, OutputTarget
    from krea_cli.errors import StorageError
    from krea_cli.inputs.upload_cache import UploadCache
    from krea_cli.jobs.poll_timing import PollTiming
    from krea_cli.jobs.schedule import Guess
    from krea_cli.operations.collect import CollectContext
    from krea_cli.operations.github_step import GithubStep
    from krea_cli.operations.renew_catalog import CatalogRenewal
    from krea_cli.operations.resolve_unconfirmed import UnconfirmedResolver
    from krea_cli.operations.save import ResultSaver
    from krea_cli.operations.sidecars import SidecarWriter


def deadline(
    ctx: CliContext,
    timeout: float | None,
    *,
    kinds: Iterable[str] = (),
    since: float | None = None,
) -> float:
    """
    Return when waiting ends that began at *since* (now, without it), on the monotonic
    clock.
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


def sidecar_writer(ctx: CliContext, output: OutputOptions) -> SidecarWriter:
    from krea_cli.operations.sidecars import SidecarWriter

    return SidecarWriter(output, ctx.records, warn=ctx.console.warn)


def result_saver(
    ctx: CliContext,
    target: OutputTarget,
    output: OutputOptions,
    *,
    default_names: FilenameFields | None = None,
) -> ResultSaver:
    """
    Return a saver of results to *target*; *default_names* are for jobs that the journal
    does not have.
    """
    from krea_cli.downloads.downloader import ResultDownloader
    from krea_cli.downloads.publish import Publisher
    from krea_cli.operations.result_names import ResultNames
    from krea_cli.operations.save import ResultSaver, SaveContext

    downloader = ResultDownloader(
        ctx.connection.download_client,
        ctx.clock,
        target,
        look=ctx.jobs.fetch,
        send=ctx.console.stdout.send,
        placing=Publisher(
            force=output.force, quality=output.quality_out, warn=ctx.console.warn
        ),
        max_bytes=output.max_size,
    )
    return ResultSaver(
        SaveContext(
            downloader=downloader,
            names=ResultNames(ctx.records, ctx.clock, default=default_names),
            sidecars=sidecar_writer(ctx, output),
            records=ctx.records,
            tracker=ctx.tracker,
        )
    )


def poll_timing(ctx: CliContext) -> PollTiming:
    from krea_cli.jobs.deadline import kinds_of
    from krea_cli.jobs.poll_timing import PollTiming
    from krea_cli.jobs.schedule import GUESSES, guess_for

    def guess(job: Job) -> Guess:
        if ctx.service.is_sandbox:
            return GUESSES["sandbox"]
        kinds = kinds_of([job], ctx.catalog.models) if job.model else set()
        return guess_for(job.model, next(iter(kinds), None))

    return PollTiming(lambda: ctx.history, ctx.clock, guess=guess, log=ctx.log)


def collect_context(ctx: CliContext, planner: OutputPlanner) -> CollectContext:
    from krea_cli.operations.collect import CollectContext
    from krea_cli.operations.review import ResultReview
    from krea_cli.sandbox import MAX_RESULT_SIDE

    review = ResultReview(
        catalog=lambda: ctx.catalog,
        records=ctx.records,
        # A service on this machine may be the sandbox, which scales pictures down.
        most_side=MAX_RESULT_SIDE if ctx.service.is_local else None,
    )
    expected = planner.expectations()
    return CollectContext(
        service=ctx.jobs,
        timing=poll_timing(ctx),
        console=ctx.console,
        clock=ctx.clock,
        tracker=ctx.tracker,
        review=review.remarks,
        unmet=lambda job: unmet_expectations(job, expected),
        # The commands depend on the state of the run when they are spelled.
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
    Return the step of GitHub Actions that the run reports to, after checking that it
    can; None without --github.
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
    Return a function that shows the pictures of jobs in the terminal. What that can
    show is asked at once: before the jobs have finished there is time for an answer.
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
