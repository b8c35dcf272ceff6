"""
Cancel a job, and confirm that it was cancelled.
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

CONFIRM_SECONDS, POLL_SECONDS = 5.0, 1.0


def cancel(
    job_id: str, client: ApiClient, clock: Clock, *, wait_turn: Callable[[], object]
) -> Job:
    """
    Cancel a job. Return its final state, or its state after 5 s if it still runs then.
    A job that has already finished stays untouched: DELETE would remove it at the
    service, perhaps with its files. `wait_turn` is called before each poll.

    Raises:
        UnknownJobError: there is no such job.
        KreaError: the service rejected the request and the job still runs, or the job
            could not be fetched afterwards.
    """
    job, error = client.job(job_id, wait_turn=wait_turn), None
    try:
        job = ask_to_cancel(job, client, clock, wait_turn=wait_turn)
    except UnknownJobError:
        pass
    except (ServiceError, RequestRejectedError) as exc:
        error = exc
    if job.is_final:
        return job
    try:
        latest = _poll_until_final(job, client, clock, wait_turn)
    except ServiceError as exc:
        message = f"Cannot confirm that job {job_id} was cancelled: {exc.message}"
        raise exc.but(message=message) from exc.__cause__
    if error and not latest.is_final:
        raise error
    return latest


def ask_to_cancel(
    job: Job, client: ApiClient, clock: Clock, *, wait_turn: Callable[[], object]
) -> Job:
    """
    Ask the service to cancel `job`, which has just been fetched. Return its state right
    before that. If it has finished, do nothing. Retry temporary failures, but fetch the
    job again first: it may have completed meanwhile.

    Raises:
        KreaError: the service rejected the request, or all attempts failed.
    """
    latest = [job]

    def ask() -> Job:
        found = latest.pop() if latest else client.job(job.job_id, wait_turn=wait_turn)
        if not found.is_final:
            client.cancel(job.job_id)
        return found

    return retry(ask, clock=clock)


def _poll_until_final(
    job: Job, client: ApiClient, clock: Clock, wait_turn: Callable[[], object]
) -> Job:
    """
    Return the job as soon as it has finished, or its state when the time is up.
    """
    until = clock.now() + CONFIRM_SECONDS
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
        clock.sleep(min(POLL_SECONDS, until - clock.now()))
