"""
What every command does that makes something new: request, jobs, files.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from krea_cli.cli.context import CliContext
from krea_cli.cli.generate_options import GenerateOptions
from krea_cli.errors import KreaError, UsageError
from krea_cli.operations import preview as showing
from krea_cli.operations.spending_limit import SpendingLimit
from krea_cli.output.results.jobs import JobSaved, JobSubmitted, JobUrls
from krea_cli.requests import prepare
from krea_cli.requests.arguments import RequestArguments

if TYPE_CHECKING:
    from krea_cli.catalog.catalog import Catalog
    from krea_cli.downloads.output_target import FilenameFields, OutputTarget
    from krea_cli.inputs.local_file import Image


def run_generation(
    session: CliContext, words: RequestArguments, wishes: GenerateOptions
) -> None:
    """
    Send what *words* say as often as wished, wait, save, and tell; or only show it.

    Raises:
        KreaError: there is a job without its result, or nothing was sent.
    """
    if wishes.delivery.github:
        from krea_cli.operations import github_step

        github_step.begin(session)
    session.keeps_journal = not wishes.no_journal
    session.cancels_on_interrupt = wishes.cancel_on_interrupt
    session.keeps_metadata, session.fits_images = wishes.keep_metadata, wishes.fit
    if wishes.no_download and wishes.delivery.output is not None:
        raise UsageError("--no-download saves nothing, so there is nothing for -o.")
    if wishes.no_download and wishes.delivery.sidecar:
        raise UsageError("--no-download saves nothing, so there is no --sidecar.")
    delivery = wishes.delivery
    if delivery.output is None:
        delivery = replace(delivery, output=session.settings.output)
    session.deliver(delivery, saves=_saves(wishes))
    taken = prepare.prepare_request(words, _preparation(session, wishes))
    if wishes.dry_run:
        _look_ahead(session, taken, wishes)
        # The sandbox is not started for this, so it has no port yet.
        settings = session.settings
        base = "http://127.0.0.1" if settings.sandbox else settings.api_url
        shown = prepare.dry_run(taken, wishes.count, inline=wishes.inline, api_url=base)
        session.out.result([shown])
    limit = SpendingLimit.of(
        wishes.max_cost, session.resolved, allows_unknown=wishes.allow_unknown_cost
    )
    cost = taken.request.cost_usd
    limit.check(
        None if cost is None else cost * wishes.count, model=taken.request.model.id
    )
    if wishes.dry_run:
        return
    _make(session, taken, wishes)


def _preparation(session: CliContext, wishes: GenerateOptions) -> prepare.Preparation:
    def read_input(argument: str, *, stdin_word: str) -> Image:
        # The modules that read files are loaded with the first file.
        return session.images.read(argument, stdin_word=stdin_word)

    return prepare.Preparation(
        catalog=session.catalog,
        default_model=session.settings.model,
        read_input=read_input,
        prompter=session,
        messages=session.out,
        renew=partial(_renew_catalog, session) if _may_send(session, wishes) else None,
        is_fresh=partial(_is_fresh, session),
    )


def _may_send(session: CliContext, wishes: GenerateOptions) -> bool:
    return not (wishes.dry_run or session.settings.sandbox)


def _is_fresh(session: CliContext, catalog: Catalog) -> bool:
    from krea_cli.operations.renew_catalog import is_fresh

    return is_fresh(session, catalog)


def _renew_catalog(session: CliContext) -> Catalog | None:
    from krea_cli.operations.renew_catalog import renew_catalog

    return renew_catalog(session)


def _make(
    session: CliContext, taken: prepare.PreparedRequest, wishes: GenerateOptions
) -> None:
    from krea_cli.operations.collect import JobCollection
    from krea_cli.operations.submit_jobs import submit_batch

    naming = prepare.naming(taken, session.naming)
    target = _target(session, taken, wishes, naming) if _saves(wishes) else None

    with submit_batch(
        session,
        taken.request,
        count=wishes.count,
        timeout=wishes.timeout,
        inline=wishes.inline,
    ) as sending:
        made = JobCollection(session, sending=sending)
        if wishes.wait:
            made.wait(deadline=sending.deadline, target=target, naming=naming)
        else:
            sending.wait()

    result = JobSaved if target else JobUrls if wishes.wait else JobSubmitted
    shown = partial(
        showing.preview,
        session,
        wanted=wishes.delivery.preview,
        before=taken.local_source,
    )
    made.tell(result, waits=wishes.wait, preview=shown if target else None)


def _target(
    session: CliContext,
    taken: prepare.PreparedRequest,
    wishes: GenerateOptions,
    naming: FilenameFields,
) -> OutputTarget:
    return session.target(
        count=wishes.count,
        force=wishes.delivery.force,
        kind=taken.request.model.result_kind,
        naming=naming,
    )


def _look_ahead(
    session: CliContext, taken: prepare.PreparedRequest, wishes: GenerateOptions
) -> None:
    """
    Say why the names that are asked for would keep the request from being sent.
    """
    if not _saves(wishes) or session.delivery.output is None:
        return
    try:
        _target(session, taken, wishes, prepare.naming(taken, session.naming))
    except KreaError as exc:
        session.out.warn(f"It would not be sent: {exc.message}")
        for hint in exc.hints:
            session.out.note(hint)


def _saves(wishes: GenerateOptions) -> bool:
    return wishes.wait and not wishes.no_download
