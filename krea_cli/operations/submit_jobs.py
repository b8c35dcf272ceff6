"""
Requests on their way to jobs: sent once for each, and what came of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from krea_cli.api.models import Job
from krea_cli.cli.context import CliContext
from krea_cli.operations import resolve_unconfirmed
from krea_cli.operations.batch_submit import BatchSubmission, Gate

if TYPE_CHECKING:
    from krea_cli.requests.request import Request


@contextmanager
def submit_batch(
    session: CliContext,
    request: Request,
    *,
    count: int,
    timeout: float | None,
    inline: bool,
) -> Iterator[BatchSubmission]:
    """
    Send the request *count* times: first once, as what is wrong with that is wrong with
    all, then as many at once as the service takes.

    The first error ends it, as the next request would meet it, too (hazard B9); the
    jobs until then are kept.  Within the context the others are on their way; at its
    end they have arrived.
    """
    submission = session.submission(inline=inline)
    with session.out.progress() as progress:
        progress.doing("preparing")
        submission.prepare(request)
    resolve_unconfirmed.remind(session)
    deadline = session.deadline(timeout, kinds=[request.model.kind])
    run = str(uuid.uuid4())

    def submit(gate: Gate) -> Job:
        return submission.submit(request, run, deadline=deadline, gate=gate)

    sending = BatchSubmission(session, submit, run=run, count=count, deadline=deadline)
    try:
        with sending.crew:
            try:
                sending.begin()
                yield sending
            except BaseException:
                sending.stop()
                raise
    finally:
        sending.close()
    sending.finish()
