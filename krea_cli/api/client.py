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
from krea_cli.api.models import (
    TRAINING,
    UPLOADED_BY_KREA,
    Asset,
    Job,
    JobPage,
    Page,
    Style,
)
from krea_cli.api.retry import retry
from krea_cli.errors import (
    Action,
    ConnectionFailedError,
    InvalidResponseError,
    KreaError,
    NotFoundError,
    RateLimitError,
    RequestRejectedError,
    Step,
    TokenRejectedError,
    UnknownJobError,
)
from krea_cli.runtime.clock import Clock

# What a request gets at least, however near its deadline is.
MIN_SECONDS = 3.0
# The most entries of a page that the service gives.
PAGE_ITEMS = 1000


class HealthCheck(NamedTuple):
    """
    The result of a health check: why the service rejected the request (None if it did
    not), and by how many seconds its clock is ahead of ours (None without a Date
    header).
    """

    refusal: KreaError | None
    ahead: float | None


class ApiClient:
    """
    Every method raises KreaError. Reads are retried while the failure may be temporary;
    requests that pay or change something are sent once.
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
        POST /generate/{model}, or /styles/train: the job.  This costs money.

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
        path = f"/{model}" if model == TRAINING else f"/generate/{model}"
        answer = self._transport.post_json(path, body, given)
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
            UnknownJobError: the job does not exist, or belongs to another account.
        """
        with _unknown(job_id):
            _, data = self._get(f"/jobs/{job_id}", deadline=deadline, turn=turn)
        job = self._job(data)
        if job.job_id != job_id:
            raise InvalidResponseError(
                f"Unexpected response from {self._transport.host}: "
                f"asked for job {job_id}, got another job."
            )
        return job

    def cancel(self, job_id: str) -> None:
        """
        DELETE /jobs/{id}: cancel the job.  It is sent once: a job that has completed
        since then would be deleted, perhaps with its files.

        Raises:
            UnknownJobError: the job does not exist, or was deleted already.
        """
        with _unknown(job_id):
            answer = self._transport.delete(f"/jobs/{job_id}")
            # What a good answer says is not documented, so nothing is read from it.
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                self._read(answer)

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
        GET /openapi.json: the description of the API, which needs no token.
        """
        try:
            return self._get("/openapi.json")[1]
        except TokenRejectedError as exc:
            # No token was sent, so changing the token would not help.
            raise InvalidResponseError(
                f"{self._transport.host} denied access to its list of models.",
                hint="Check the API URL and your proxy.",
            ) from exc

    def upload(self, file: RequestBody, name: str, media_type: str) -> Asset:
        """
        POST /assets.  It is free, so it is repeated when nothing was sent or the
        service took no more files for now.
        """

        def send() -> dict[str, Any]:
            answer = self._transport.post_file(
                "/assets", name, file, media_type, description=UPLOADED_BY_KREA
            )
            return self._read(answer)

        data = retry(
            send, clock=self._clock, passing=(ConnectionFailedError, RateLimitError)
        )
        with self._unexpected("an asset without a URL"):
            return Asset.from_json(data, self._transport.redacted)

    def assets(self, *, cursor: str | None = None) -> Page[Asset]:
        """
        GET /assets: uploaded files, from *cursor* of the page before.
        """
        _, data = self._get("/assets", _query(limit=PAGE_ITEMS, cursor=cursor))
        redact = self._transport.redacted
        return Page.from_json(data, lambda item: Asset.from_json(item, redact))

    def asset(self, asset_id: str) -> Asset:
        """
        GET /assets/{id}.

        Raises:
            NotFoundError: the asset does not exist, or belongs to another account.
        """
        with _not_found(f"Asset {asset_id}", Action.LIST_ASSETS):
            _, data = self._get(f"/assets/{asset_id}")
        with self._unexpected("an asset without a URL"):
            return Asset.from_json(data, self._transport.redacted)

    def delete_asset(self, asset_id: str) -> None:
        """
        DELETE /assets/{id}.  It is repeated while a failure may pass.

        Raises:
            NotFoundError: the asset does not exist, or was deleted already.
        """

        def ask() -> dict[str, Any]:
            return self._read(self._transport.delete(f"/assets/{asset_id}"))

        with _not_found(f"Asset {asset_id}", Action.LIST_ASSETS):
            data = retry(ask, clock=self._clock)
        if data.get("success") is False:
            words = self._transport.redacted(responses.said(data)) or "no reason given"
            raise InvalidResponseError(
                f"Krea did not delete asset {asset_id} ({words}).",
                hint="The file is still there. Run the command again later.",
            )

    def styles(
        self,
        *,
        filter_by: str = "all",
        model: str | None = None,
        cursor: str | None = None,
    ) -> Page[Style]:
        """
        GET /styles: styles that *filter_by* and *model* let through, from *cursor* of
        the page before.
        """
        query = _query(limit=PAGE_ITEMS, filter=filter_by, model=model, cursor=cursor)
        _, data = self._get("/styles", query)
        redact = self._transport.redacted
        return Page.from_json(data, lambda item: Style.from_json(item, redact))

    def style(self, style_id: str) -> Style:
        """
        GET /styles/{id}.

        Raises:
            NotFoundError: the style does not exist, or is private to another user.
        """
        with _not_found(f"Style {style_id}", Action.LIST_STYLES):
            _, data = self._get(f"/styles/{style_id}")
        with self._unexpected("a style without an id"):
            return Style.from_json(data, self._transport.redacted)

    @contextmanager
    def _unexpected(self, found: str) -> Iterator[None]:
        """
        Explain a `ValueError` as a response with *found*.
        """
        try:
            yield
        except ValueError as exc:
            raise InvalidResponseError(
                f"Unexpected response from {self._transport.host}: {found}."
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
            seconds = min(max(left, MIN_SECONDS), ANSWER_SECONDS)
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
                f"Unexpected response from {self._transport.host}: "
                f"a job without a valid {exc}" + (f" ({words})." if words else ".")
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
            f"Job {job_id} not found.",
            hint=Step(Action.LIST_REMOTE),
            job_id=job_id,
        ) from exc


@contextmanager
def _not_found(what: str, action: Action) -> Iterator[None]:
    try:
        yield
    except RequestRejectedError as exc:
        if exc.status != HTTPStatus.NOT_FOUND:
            raise
        raise NotFoundError(f"{what} not found.", hint=Step(action)) from exc


def _query(**values: str | int | None) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None}


def _ahead(date: str | None, wall: float) -> float | None:
    """
    Return by how many seconds the clock behind the Date header is ahead of *wall*; None
    without a header.
    """
    told = seconds_of(date)
    return None if told is None else told - wall
