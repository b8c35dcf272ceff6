"""
Cancel a job, and find out whether that succeeded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from krea_cli.errors import (
    KreaError,
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
    job_id: str, client: ApiClient, clock: Clock, *, wait_turn: Callable[[], object]
) -> Job:
    """
    Cancel a job; return it as it finished, or as it still runs 5 s later. A job that
    has finished already is left alone: for the service, cancelling it would mean
    deleting it, perhaps with its files. *wait_turn* is called before each poll.

    Raises:
        UnknownJobError: there is no such job.
        KreaError: the service rejected the request, and the job still runs; or it
            accepted it, and the job cannot be fetched any more.
    """
    job = client.job(job_id, wait_turn=wait_turn)
    if job.is_final:
        return job
    failure = _ask(job_id, client)
    try:
        seen = _settled(job, client, clock, wait_turn)
    except ServiceError as exc:
        message = f"Cannot confirm that job {job_id} was cancelled: {exc.message}"
        raise exc.but(message=message) from exc.__cause__
    if failure and not seen.is_final:
        raise failure
    return seen


def _ask(job_id: str, client: ApiClient) -> KreaError | None:
    """
    Ask the service to cancel the job; return the error that leaves that open.
    """
    try:
        client.cancel(job_id)
    except UnknownJobError:
        return None
    except (ServiceError, RequestRejectedError) as exc:
        return exc
    return None


def _settled(
    job: Job, client: ApiClient, clock: Clock, wait_turn: Callable[[], object]
) -> Job:
    """
    The job when it has ended, or when the time is up.
    """
    until = clock.now() + SETTLING_SECONDS
    while True:
        try:
            job = client.job(job.job_id, deadline=until, wait_turn=wait_turn)
        except UnknownJobError:
            return replace(job, status="cancelled")
        except ServiceError:
            if clock.now() >= until:
                raise
        if job.is_final or clock.now() >= until:
            return job
        clock.sleep(min(STEP_SECONDS, until - clock.now()))
