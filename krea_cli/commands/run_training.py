"""
The work of `krea styles train`: upload the images, submit, wait, and report the style.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from krea_cli.cli import collaborators
from krea_cli.cli.context import CliContext
from krea_cli.downloads.output_options import OutputOptions
from krea_cli.inputs.local_file import placeholder_url
from krea_cli.operations.batch_submit import submit_batch
from krea_cli.operations.collect import JobCollection
from krea_cli.operations.resolve_unconfirmed import warn_unconfirmed
from krea_cli.operations.spending_limit import SpendingLimit
from krea_cli.output.results.dry_run import DryRun
from krea_cli.output.results.jobs import JobSubmitted
from krea_cli.output.results.styles import StyleTrained
from krea_cli.requests.training import USUAL_IMAGES, Training

if TYPE_CHECKING:
    from krea_cli.commands.styles import TrainOptions
    from krea_cli.inputs.resolver import InputResolver
    from krea_cli.requests.request import Request


def run_training(
    ctx: CliContext, options: TrainOptions, name: str, images: Sequence[str]
) -> None:
    """
    Train a style, or with --dry-run only show the request.

    Raises:
        KreaError: there is a job without its style, or nothing was submitted.
    """
    resolver = ctx.input_resolver(keep_metadata=options.keep_metadata, fit=options.fit)
    request = Training(
        name=name,
        images=[resolver.read(each, stdin_option="IMAGE -") for each in images],
        model=options.model,
        type=options.type,
        trigger=options.trigger,
        steps=options.steps,
        webhook=options.webhook,
    ).request()
    if len(images) < USUAL_IMAGES:
        ctx.console.warn(
            f"A style is usually trained from at least {USUAL_IMAGES} images. Krea may "
            "reject fewer."
        )
    if options.dry_run:
        _show_dry_run(ctx, request)
    SpendingLimit.of(
        options.max_cost,
        ctx.resolved_settings,
        allows_unknown=options.allow_unknown_cost,
    ).check(request.cost_usd, model=request.model.id)
    if not options.dry_run:
        _train(ctx, options, request, resolver)


def _train(
    ctx: CliContext, options: TrainOptions, request: Request, resolver: InputResolver
) -> None:
    submitter = ctx.submitter(
        ctx.uploader(resolver),
        inline=False,
        keep_metadata=options.keep_metadata,
        fit=options.fit,
    )
    with ctx.console.progress() as progress:
        progress.doing("Uploading images")
        submitter.prepare(request)
    warn_unconfirmed(ctx.history, ctx.console, ctx.next_steps)
    planner = collaborators.output_planner(ctx, OutputOptions())
    with submit_batch(
        request,
        1,
        submitter,
        deadline=collaborators.deadline(
            ctx, options.timeout, kinds=[request.model.kind]
        ),
        journal=ctx.journal,
        resolver=collaborators.unconfirmed_resolver(ctx),
        tracker=ctx.tracker,
        console=ctx.console,
        clock=ctx.clock,
    ) as submission:
        collection = JobCollection(
            collaborators.collect_context(ctx, planner), submission=submission
        )
        if options.wait:
            collection.wait(deadline=submission.deadline)
        else:
            submission.wait()
    collection.report(
        StyleTrained if options.wait else JobSubmitted, waits=options.wait
    )


def _show_dry_run(ctx: CliContext, request: Request) -> None:
    # The sandbox is not started for this, so it has no port yet.
    is_sandbox = ctx.service.is_sandbox
    api_url = "http://127.0.0.1" if is_sandbox else ctx.settings.api_url
    shown = DryRun(
        method="POST",
        url=f"{api_url}/{request.model.path}",
        body=request.body(partial(placeholder_url, inline=False)),
        count=1,
        is_sandbox=is_sandbox,
    )
    ctx.console.result([shown])
