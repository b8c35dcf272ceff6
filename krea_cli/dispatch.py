"""
Requests on their way to jobs: sent once for each, and what came of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from krea_cli import doubt
from krea_cli.api.resources import Job
from krea_cli.errors import (
    KreaError,
    StillRunningError,
)
from krea_cli.session import Session

if TYPE_CHECKING:
    from krea_cli.jobs.request import Request
    from krea_cli.jobs.submission import Submission


class Dispatched(NamedTuple):
    """
    The jobs, what ended it early, and when (on the monotonic clock) they are to be
    final.
    """

    jobs: list[Job]
    errors: list[KreaError]
    deadline: float


def dispatch(
    session: Session,
    request: Request,
    *,
    count: int,
    timeout: float | None,
    inline: bool,
) -> Dispatched:
    """
    Send the request *count* times.

    The first error ends it, as the next request would meet it, too (hazard B9); the
    jobs until then are kept.
    """
    submission = session.submission(inline=inline)
    with session.out.progress() as progress:
        progress.doing("preparing")
        submission.prepare(request)
    doubt.remind(session)
    deadline = session.deadline(timeout, kinds=[request.model.kind])
    jobs, errors = list[Job](), list[KreaError]()
    try:
        for job in _jobs(session, submission, request, count, deadline):
            jobs.append(job)
    except KreaError as exc:
        if session.unsent:
            exc.message += f" {session.unsent} more of the requests were not sent."
        errors.append(exc)
    session.unsent = 0
    return Dispatched(jobs, errors, deadline)


def _jobs(
    session: Session,
    submission: Submission,
    request: Request,
    count: int,
    deadline: float,
) -> Iterator[Job]:
    run = str(uuid.uuid4())
    for sent in range(count):
        if sent and session.clock.now() >= deadline:
            session.unsent = 0
            raise _too_late(sent, count)
        session.unsent = count - sent - 1
        yield doubt.sent(
            session,
            lambda: submission.submit(request, run, deadline=deadline),
            deadline=deadline,
        )


def _too_late(sent: int, count: int) -> KreaError:
    return StillRunningError(
        f"The time was up when {sent} of {count} jobs were submitted; the others were "
        "not sent.",
        hint="Give more with --timeout, or submit them with --no-wait.",
    )
