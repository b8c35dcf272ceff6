"""
The common part of `krea generate` and `krea replay`: prepare a request, submit it,
wait, save the results and report them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from krea_cli.cli import collaborators
from krea_cli.cli.context import CliContext
from krea_cli.cli.generate_options import GenerateOptions
from krea_cli.errors import KreaError
from krea_cli.operations.spending_limit import SpendingLimit
from krea_cli.requests import prepare
from krea_cli.requests.arguments import RequestArguments

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.catalog.catalog import Catalog
    from krea_cli.commands.earlier_request import EarlierRequest
    from krea_cli.downloads.output_options import OutputOptions
    from krea_cli.downloads.output_target import OutputTarget
    from krea_cli.inputs.local_file import Image
    from krea_cli.inputs.resolver import InputResolver
    from krea_cli.operations.batch_submit import BatchSubmission
    from krea_cli.operations.plan_output import OutputPlanner
    from krea_cli.operations.remembered_output import RememberedOutput
    from krea_cli.output.results.jobs import Result


def run_generation(
    ctx: CliContext, arguments: RequestArguments, options: GenerateOptions
) -> None:
    """
    Submit the request as often as the options say, wait, save and report; or, with
    --dry-run, only show it.

    Raises:
        KreaError: there is a job without its result, or nothing was submitted.
    """
    step = collaborators.github_step(ctx)
    options.check()
    output = options.delivery
    if output.output is None:
        output = replace(output, output=ctx.settings.output)
    planner = collaborators.output_planner(ctx, output)
    planner.check_expectations(
        saves=options.saves or options.saves_later,
        way_to_save="remove --no-download"
        if options.no_download
        else "add -o to save the result",
    )
    inputs = _Inputs(ctx, keep_metadata=options.keep_metadata, fit=options.fit)
    prepared = prepare.prepare_request(arguments, _preparation(ctx, inputs, options))
    request = prepared.request
    earlier = _earlier(ctx, prepared) if options.once else None
    if options.dry_run:
        _show_dry_run(ctx, prepared, planner, options, earlier)
    if earlier and earlier.job_id:
        if options.dry_run:
            return
        _collect_earlier(ctx, earlier.job_id, planner, output, options)
        return
    limit = SpendingLimit.of(
        options.max_cost,
        ctx.resolved_settings,
        allows_unknown=options.allow_unknown_cost,
    )
    cost = request.cost_usd
    limit.check(None if cost is None else cost * options.count, model=request.model.id)
    if options.dry_run:
        return

    from krea_cli.operations.collect import JobCollection
    from krea_cli.operations.result_names import names_of_request

    target = _plan(prepared, planner, options, ctx) if options.saves else None
    remembered = _remembered(prepared, planner, options, ctx, target)
    saver = preview = None
    with _submit(ctx, prepared, inputs, options, remembered, earlier) as submission:
        collection = JobCollection(
            collaborators.collect_context(ctx, planner), submission=submission
        )
        if target:
            saver = collaborators.result_saver(
                ctx,
                target,
                output,
                default_names=names_of_request(request, ctx.clock),
                keeps_indexes=True,
            )
            preview = collaborators.previewer(
                ctx, wanted=options.delivery.preview, before=prepared.local_source
            )
        if options.wait:
            collection.wait(deadline=submission.deadline, saver=saver)
        else:
            submission.wait()

    collection.report(
        _kind_of_result(options),
        waits=options.wait,
        preview=preview,
        hand_on=collaborators.hand_on(step, is_paid=True),
    )


def _earlier(ctx: CliContext, prepared: prepare.PreparedRequest) -> EarlierRequest:
    from krea_cli.commands.earlier_request import EarlierRequest

    return EarlierRequest.of(ctx, prepared)


def _kind_of_result(options: GenerateOptions) -> Callable[[Job, str], Result]:
    from krea_cli.output.results.jobs import JobSaved, JobSubmitted, JobUrls

    if options.saves:
        return JobSaved
    return JobUrls if options.wait else JobSubmitted


def _collect_earlier(
    ctx: CliContext,
    job_id: str,
    planner: OutputPlanner,
    output: OutputOptions,
    options: GenerateOptions,
) -> None:
    """
    Wait for the job of the same request, save its result, and report it.
    """
    from krea_cli.operations.collect import JobCollection
    from krea_cli.operations.fetch_jobs import fetch_jobs

    step = collaborators.github_step(ctx)
    ctx.console.note(f"The same request was made before, as job {job_id}.")
    # A name that is taken may be taken by the very result.
    target = planner.plan(count=1, force=True) if options.saves else None
    ctx.tracker.submitted(job_id)
    found, errors = fetch_jobs(ctx.jobs, [job_id], clock=ctx.clock)
    collection = JobCollection(
        collaborators.collect_context(ctx, planner), found, errors
    )
    if options.wait:
        collection.wait(
            deadline=collaborators.deadline(ctx, options.timeout),
            saver=collaborators.result_saver(ctx, target, output) if target else None,
        )
    collection.report(
        _kind_of_result(options),
        waits=options.wait,
        hand_on=collaborators.hand_on(step, is_paid=False),
    )


class _Inputs:
    """
    The input files of a request. The modules that read files are loaded with the first.
    """

    def __init__(self, ctx: CliContext, *, keep_metadata: bool, fit: bool) -> None:
        self._ctx = ctx
        self._keep_metadata = keep_metadata
        self._fit = fit
        self._resolver: InputResolver | None = None

    @property
    def resolver(self) -> InputResolver:
        if self._resolver is None:
            self._resolver = self._ctx.input_resolver(
                keep_metadata=self._keep_metadata, fit=self._fit
            )
        return self._resolver

    def read(self, argument: str, *, stdin_option: str) -> Image:
        return self.resolver.read(argument, stdin_option=stdin_option)


def _preparation(
    ctx: CliContext, inputs: _Inputs, options: GenerateOptions
) -> prepare.Preparation:
    def renew() -> Catalog | None:
        return collaborators.catalog_renewal(ctx).renew()

    # A dry run sends nothing, and the sandbox has the models that krea came with.
    may_renew = not (options.dry_run or ctx.service.is_sandbox)
    return prepare.Preparation(
        catalog=ctx.catalog,
        default_model=ctx.settings.model,
        read_input=inputs.read,
        prompter=ctx.prompter,
        messages=ctx.console,
        renew=renew if may_renew else None,
        is_fresh=lambda each: collaborators.catalog_renewal(ctx).is_fresh(each),
    )


def _submit(
    ctx: CliContext,
    prepared: prepare.PreparedRequest,
    inputs: _Inputs,
    options: GenerateOptions,
    remembered: RememberedOutput | None,
    earlier: EarlierRequest | None,
) -> AbstractContextManager[BatchSubmission]:
    """
    Upload the input files, and return the submission of the jobs.
    """
    from krea_cli.commands.earlier_request import key_of
    from krea_cli.operations.batch_submit import submit_batch
    from krea_cli.operations.resolve_unconfirmed import warn_unconfirmed

    request = prepared.request
    submitter = ctx.submitter(
        ctx.uploader(inputs.resolver),
        inline=options.inline,
        keep_metadata=options.keep_metadata,
        fit=options.fit,
        output=remembered.as_json() if remembered else None,
        key=key_of(prepared),
    )
    with ctx.console.progress() as progress:
        progress.doing("Preparing")
        submitter.prepare(request, progress.uploading)
    warn_unconfirmed(ctx.history, ctx.console, ctx.next_steps)
    return submit_batch(
        request,
        options.count,
        earlier.once(ctx, submitter) if earlier else submitter,
        deadline=collaborators.deadline(
            ctx, options.timeout, kinds=[request.model.kind]
        ),
        journal=ctx.journal,
        resolver=collaborators.unconfirmed_resolver(ctx),
        tracker=ctx.tracker,
        console=ctx.console,
        clock=ctx.clock,
        is_remembered=remembered is not None,
    )


def _remembered(
    prepared: prepare.PreparedRequest,
    planner: OutputPlanner,
    options: GenerateOptions,
    ctx: CliContext,
    target: OutputTarget | None,
) -> RememberedOutput | None:
    """
    Return how a later `krea wait` saves the results, or None if it does not.
    """
    from krea_cli.operations.remembered_output import RememberedOutput
    from krea_cli.operations.result_names import names_of_request

    if target is None and options.saves_later and planner.options.output != "-":
        target = _plan(prepared, planner, options, ctx)
    if target is None:
        return None
    return RememberedOutput.of(
        planner.options,
        target,
        count=options.count,
        names=names_of_request(prepared.request, ctx.clock),
    )


def _plan(
    prepared: prepare.PreparedRequest,
    planner: OutputPlanner,
    options: GenerateOptions,
    ctx: CliContext,
) -> OutputTarget:
    from krea_cli.operations.result_names import names_of_request

    return planner.plan(
        count=options.count,
        force=options.delivery.force,
        kind=prepared.request.model.result_kind,
        names=names_of_request(prepared.request, ctx.clock),
    )


def _show_dry_run(
    ctx: CliContext,
    prepared: prepare.PreparedRequest,
    planner: OutputPlanner,
    options: GenerateOptions,
    earlier: EarlierRequest | None,
) -> None:
    """
    Show the request, and warn if its results could not be saved where they should go,
    or say that an earlier request has the result already.
    """
    saves = options.saves or options.saves_later
    if earlier and earlier.job_id:
        ctx.console.note(
            f"The same request was made before, as job {earlier.job_id}. Nothing would "
            "be submitted."
        )
    elif saves and planner.options.output is not None:
        try:
            _plan(prepared, planner, options, ctx)
        except KreaError as exc:
            ctx.console.warn(f"Without --dry-run this would fail: {exc.message}")
            for hint in exc.hints:
                ctx.console.note(hint)
    # The sandbox is not started for this, so it has no port yet.
    is_sandbox = ctx.service.is_sandbox
    api_url = "http://127.0.0.1" if is_sandbox else ctx.settings.api_url
    shown = prepare.dry_run(
        prepared,
        options.count,
        inline=options.inline,
        api_url=api_url,
        is_sandbox=is_sandbox,
    )
    ctx.console.result([shown])
