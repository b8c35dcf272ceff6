"""
Cancel a job, and find out whether that succeeded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from krea_cli.api.retry import retry
from krea_cli.errors import (
    RequestRejectedError,
    ServiceError,
    UnknownJobError,
)
from krea_cli.runtime.clock import Clock

if TYPE_CHECKING:
    from krea_cli.api.client import ApiClient
    from krea_cli.api.models import Job

SETTLING_SECONDS, STEP_SECONDS = 5.0, 1.0


def cancel(
    job_id: str, client: ApiClient, clock: Clock, *, turn: Callable[[], object]
) -> Job:
    """
    Cancel a job; return it as it finished, or as it still runs 5 s later. A job that
    has finished already is left alone: for the service, cancelling it would mean
    deleting it, perhaps with its files. *turn* is called before each poll.

    Raises:
        UnknownJobError: there is no such job.
        KreaError: the service rejected the request, and the job still runs; or it
            accepted it, and the job cannot be fetched any more.
    """
    job, failure = client.job(job_id, turn=turn), None
    try:
        job = ask_to_cancel(job, client, clock, turn=turn)
    except UnknownJobError:
        pass
    except (ServiceError, RequestRejectedError) as exc:
        failure = exc
    if job.is_final:
        return job
    try:
        seen = _settled(job, client, clock, turn)
    except ServiceError as exc:
        message = f"Cannot confirm that job {job_id} was cancelled: {exc.message}"
        raise exc.but(message=message) from exc.__cause__
    if failure and not seen.is_final:
        raise failure
    return seen


def ask_to_cancel(
    job: Job, client: ApiClient, clock: Clock, *, turn: Callable[[], object]
) -> Job:
    """
    Ask the service to cancel *job*, which was fetched just now, and return it as it was
    right before; one that has finished is left alone. It is asked again while a failure
    may pass, each time after another look: the job may have completed meanwhile.

    Raises:
        KreaError: the service rejected the request.
    """
    seen = [job]

    def ask() -> Job:
        found = seen.pop() if seen else client.job(job.job_id, turn=turn)
        if not found.is_final:
            client.cancel(job.job_id)
        return found

    return retry(ask, clock=clock)


def _settled(
    job: Job, client: ApiClient, clock: Clock, turn: Callable[[], object]
) -> Job:
    """
    The job when it has ended, or when the time is up.
    """
    until = clock.now() + SETTLING_SECONDS
    while True:
        try:
            job = client.job(job.job_id, deadline=until, turn=turn)
        except UnknownJobError:
            return replace(job, status="cancelled")
        except ServiceError:
            if clock.now() >= until:
                raise
        if job.is_final or clock.now() >= until:
            return job
        clock.sleep(min(STEP_SECONDS, until - clock.now()))
