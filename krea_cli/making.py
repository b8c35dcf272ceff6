"""
What every command does that makes something new: request, jobs, files.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from krea_cli import order, showing, step
from krea_cli.errors import UsageError
from krea_cli.output.results import JobAccepted, JobSaved, JobUrls
from krea_cli.session import Session
from krea_cli.wishes import Wishes
from krea_cli.words import Words

if TYPE_CHECKING:
    from krea_cli.jobs.expectations import Expectation
    from krea_cli.jobs.targets import Naming, Target


def make(session: Session, words: Words, wishes: Wishes) -> None:
    """
    Send what *words* say as often as wished, wait, save, and tell; or only show it.

    Raises:
        KreaError: there is a job without its result, or nothing was sent.
    """
    if wishes.github:
        step.begin(session)
    session.keeps_journal = not wishes.no_journal
    session.cancels_on_interrupt = wishes.cancel_on_interrupt
    session.keeps_metadata, session.fits_images = wishes.keep_metadata, wishes.fit
    if wishes.no_download and wishes.output is not None:
        raise UsageError("--no-download saves nothing, so there is nothing for -o.")
    if wishes.no_download and wishes.sidecar:
        raise UsageError("--no-download saves nothing, so there is no --sidecar.")
    session.writes_sidecars = wishes.sidecar
    expected = session.expectations(
        wishes.expect, saves=wishes.wait and not wishes.no_download
    )
    taken = order.take(session, words)
    if wishes.dry_run:
        session.out.result([order.dry_run(session, taken, wishes.count)])
    order.check_cost(
        taken,
        wishes.count,
        most=wishes.max_cost,
        allows_unknown=wishes.allow_unknown_cost,
    )
    if wishes.dry_run:
        return
    _make(session, taken, wishes, expected)


def _make(
    session: Session,
    taken: order.Order,
    wishes: Wishes,
    expected: Sequence[Expectation],
) -> None:
    from krea_cli.collection import Collection
    from krea_cli.dispatch import dispatch

    output = session.settings.output if wishes.output is None else wishes.output
    session.output, session.overwrites = output, wishes.force
    naming = order.naming(session, taken)
    target = _target(session, taken, wishes, naming, expected)

    with dispatch(
        session,
        taken.request,
        count=wishes.count,
        timeout=wishes.timeout,
        inline=wishes.inline,
    ) as sending:
        made = Collection(session, sending=sending, output=output)
        saving = None
        if target:
            saving = made.saving(
                target,
                force=wishes.force,
                naming=naming,
                max_bytes=wishes.max_size,
                quality=wishes.quality_out,
                expectations=expected,
            )
        if wishes.wait:
            made.wait(deadline=sending.deadline, saving=saving)
        else:
            sending.wait()

    result = JobSaved if target else JobUrls if wishes.wait else JobAccepted
    shown = partial(
        showing.preview, session, wanted=wishes.preview, before=taken.local_source
    )
    made.tell(result, waits=wishes.wait, preview=shown if target else None)


def _target(
    session: Session,
    taken: order.Order,
    wishes: Wishes,
    naming: Naming,
    expected: Sequence[Expectation],
) -> Target | None:
    """
    Where results are to go, if they are to be saved.
    """
    if not wishes.wait or wishes.no_download:
        return None
    return session.target(
        session.output,
        count=wishes.count,
        force=wishes.force,
        kind=taken.request.model.result_kind,
        naming=naming,
        quality=wishes.quality_out,
        expectations=expected,
    )
