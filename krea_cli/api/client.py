"""
One method for each endpoint: arguments in, resources out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, NamedTuple

from krea_cli.api import responses
from krea_cli.api.http import ANSWER_SECONDS, HttpTransport
from krea_cli.api.http_dates import seconds_of
from krea_cli.api.http_types import RequestBody, Response
from krea_cli.api.models import Asset, Job, JobPage
from krea_cli.api.retry import retry
from krea_cli.errors import (
    Action,
    ConnectionFailedError,
    InvalidResponseError,
    KreaError,
    RateLimitError,
    RequestRejectedError,
    Step,
    TokenRejectedError,
    UnknownJobError,
)
from krea_cli.runtime.clock import Clock

# What a request gets at least, however near its deadline is.
LEAST_SECONDS = 3.0


class HealthCheck(NamedTuple):
    """
    What an answer said: why the service refused, and how many seconds its clock is
    ahead of ours; None where it did not.
    """

    refusal: KreaError | None
    ahead: float | None


class ApiClient:
    """
    Every method raises KreaError; those that only read are repeated while a failure
    may pass, those that pay or change something are sent once.
    """

    def __init__(self, transport: HttpTransport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    def submit(
        self,
        model: str,
        body: RequestBody,
        *,
        webhook: str | None = None,
        key: str | None = None,
    ) -> Job:
        """
        POST /generate/{model}: the job.  This costs money.

        *key* goes out as Idempotency-Key.  No document of the service mentions it, so
        nothing may rely on it.

        Raises:
            ConnectionFailedError: nothing was sent.
            KreaError: the service refused (TokenRejectedError, BalanceError,
                RequestRejectedError, RateLimitError): no job.
            ResponseLostError, ServerError, InvalidResponseError: there may be a job.
        """
        headers = {"X-Webhook-URL": webhook, "Idempotency-Key": key}
        given = {name: value for name, value in headers.items() if value}
        answer = self._transport.post_json(f"/generate/{model}", body, given)
        return self._job(self._read(answer))

    def job(
        self,
        job_id: str,
        *,
        deadline: float | None = None,
        turn: Callable[[], object] = lambda: None,
    ) -> Job:
        """
        GET /jobs/{id}.  *turn* is called before each attempt, to wait for its turn.

        Raises:
            UnknownJobError: there is none, or it is another account's.
        """
        with _unknown(job_id):
            _, data = self._get(f"/jobs/{job_id}", deadline=deadline, turn=turn)
        job = self._job(data)
        if job.job_id != job_id:
            raise InvalidResponseError(
                f"{self._transport.host} answered another job than {job_id}."
            )
        return job

    def cancel(self, job_id: str) -> None:
        """
        DELETE /jobs/{id}: the job is to end.  It may be repeated: a job that has ended
        or that is gone stays so.

        Raises:
            UnknownJobError: there is none, or none any more.
        """

        def ask() -> None:
            answer = self._transport.delete(f"/jobs/{job_id}")
            # What a good answer says is not documented, so nothing is read from it.
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                self._read(answer)

        with _unknown(job_id):
            retry(ask, clock=self._clock)

    def jobs(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        status: str | None = None,
        deadline: float | None = None,
        turn: Callable[[], object] = lambda: None,
    ) -> JobPage:
        """
        GET /jobs: the newest first, from *cursor* of the page before, only those of
        that *status*.  *turn* as in `job`.
        """
        asked = {"limit": str(limit), "cursor": cursor, "status": status}
        answer, data = self._get(
            "/jobs",
            {name: value for name, value in asked.items() if value},
            deadline=deadline,
            turn=turn,
        )
        ahead = _ahead(answer.headers.get("Date"), self._clock.wall())
        return JobPage.from_json(data, ahead=ahead, redact=self._transport.redacted)

    def probe(self, *, seconds: float) -> HealthCheck:
        """
        GET /jobs?limit=1, once and for *seconds* at most: whether the service is there.

        Raises:
            ServiceError: there was no answer.
        """
        answer = self._transport.get("/jobs", {"limit": "1"}, seconds=seconds)
        refusal = None
        try:
            self._read(answer)
        except KreaError as exc:
            refusal = exc
        ahead = _ahead(answer.headers.get("Date"), self._clock.wall())
        return HealthCheck(refusal, ahead)

    def openapi(self) -> dict[str, Any]:
        """
        GET /openapi.json: what the service tells anybody of itself.
        """
        try:
            return self._get("/openapi.json")[1]
        except TokenRejectedError as exc:
            # None was sent, so there is none to change.
            raise InvalidResponseError(
                f"{self._transport.host} does not show its list of models.",
                hint="Check the API URL, and whether a proxy is between.",
            ) from exc

    def upload(self, file: RequestBody, name: str, media_type: str) -> Asset:
        """
        POST /assets.  It is free, so it is repeated when nothing was sent or the
        service took no more files for now.
        """

        def send() -> dict[str, Any]:
            answer = self._transport.post_file("/assets", name, file, media_type)
            return self._read(answer)

        data = retry(
            send, clock=self._clock, passing=(ConnectionFailedError, RateLimitError)
        )
        try:
            return Asset.from_json(data, self._transport.redacted)
        except ValueError as exc:
            raise InvalidResponseError(
                "The service took the file, but gave no URL."
            ) from exc

    def _get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        deadline: float | None = None,
        turn: Callable[[], object] = lambda: None,
    ) -> tuple[Response, dict[str, Any]]:
        def ask() -> tuple[Response, dict[str, Any]]:
            turn()
            left = ANSWER_SECONDS if deadline is None else deadline - self._clock.now()
            seconds = min(max(left, LEAST_SECONDS), ANSWER_SECONDS)
            answer = self._transport.get(path, params, seconds=seconds)
            return answer, self._read(answer)

        return retry(ask, clock=self._clock, deadline=deadline)

    def _read(self, answer: Response) -> dict[str, Any]:
        return responses.read(
            answer,
            host=self._transport.host,
            wall=self._clock.wall(),
            token_source=self._transport.token_source,
            redact=self._transport.redacted,
        )

    def _job(self, data: Mapping[str, Any]) -> Job:
        try:
            return Job.from_json(data, self._transport.redacted)
        except ValueError as exc:
            words = self._transport.redacted(responses.said(data))
            raise InvalidResponseError(
                f"{self._transport.host} answered a job without a usable {exc}"
                + (f", and said: {words}." if words else ".")
            ) from exc


@contextmanager
def _unknown(job_id: str) -> Iterator[None]:
    """
    A refusal with 404 means that there is no such job.
    """
    try:
        yield
    except RequestRejectedError as exc:
        if exc.status != HTTPStatus.NOT_FOUND:
            raise
        raise UnknownJobError(
            f"The service knows no job {job_id}.",
            hint=Step(Action.LIST_ACCOUNT),
            job_id=job_id,
        ) from exc


def _ahead(date: str | None, wall: float) -> float | None:
    """
    How far the clock that wrote the Date header is ahead of *wall*; None without one.
    """
    told = seconds_of(date)
    return None if told is None else told - wall
