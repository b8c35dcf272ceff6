"""
Call the endpoints of the API.  `ApiClient` has one method for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, NamedTuple

from krea_cli.api import responses
from krea_cli.api.http import RESPONSE_TIMEOUT_SECONDS, HttpTransport
from krea_cli.api.http_dates import parse_http_date
from krea_cli.api.http_types import RequestBody, Response
from krea_cli.api.models import (
    TRAINING_PATH,
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

# Each request gets at least this long, even just before a deadline.
MIN_REQUEST_SECONDS = 3.0
# The service returns at most this many items a page.
MAX_PAGE_ITEMS = 1000


class HealthCheck(NamedTuple):
    """
    The result of a health check: the error of a rejected request (None if it was
    accepted), and the seconds by which the service's clock is ahead of ours (None
    without a Date header).
    """

    rejection: KreaError | None
    clock_skew: float | None


class ApiClient:
    """
    Call the API. All methods raise KreaError.

    Each method says if it retries. Reads retry temporary failures; `submit`, which
    costs money, never retries.
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
        POST /generate/{model} or /styles/train, once; return the job.  It costs money.

        `key` is sent as Idempotency-Key.  The service does not document that header, so
        do not rely on it.

        Raises:
            ConnectionFailedError: nothing was sent.
            TokenRejectedError, BalanceError, RequestRejectedError, RateLimitError: the
                service rejected the request; there is no job.
            ResponseLostError, ServerError, InvalidResponseError: there may be a job.
        """
        optional = {"X-Webhook-URL": webhook, "Idempotency-Key": key}
        headers = {name: value for name, value in optional.items() if value}
        path = f"/{model}" if model == TRAINING_PATH else f"/generate/{model}"
        response = self._transport.post_json(path, body, headers)
        return self._job(self._read(response))

    def job(
        self,
        job_id: str,
        *,
        deadline: float | None = None,
        wait_turn: Callable[[], object] = lambda: None,
    ) -> Job:
        """
        GET /jobs/{id}.  `wait_turn` is called before each attempt, to limit the rate.

        Raises:
            UnknownJobError: the job does not exist, or belongs to another account.
        """
        with _unknown_job(job_id):
            _, data = self._get(
                f"/jobs/{job_id}", deadline=deadline, wait_turn=wait_turn
            )
        job = self._job(data)
        if job.job_id != job_id:
            raise InvalidResponseError(
                f"Unexpected response from {self._transport.host}: "
                f"asked for job {job_id}, got another job."
            )
        return job

    def cancel(self, job_id: str) -> None:
        """
        DELETE /jobs/{id}: cancel the job, without retries.  If the job has completed
        meanwhile, a retry would delete it, perhaps with its files.

        Raises:
            UnknownJobError: the job does not exist, or was deleted already.
        """
        with _unknown_job(job_id):
            response = self._transport.delete(f"/jobs/{job_id}")
            # The content of a success response is not documented, so ignore it.
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                self._read(response)

    def jobs(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        status: str | None = None,
        deadline: float | None = None,
        wait_turn: Callable[[], object] = lambda: None,
    ) -> JobPage:
        """
        GET /jobs: one page, newest first.  `cursor` comes from the previous page;
        `status` selects jobs; `wait_turn` is as for `job`.
        """
        query = {"limit": str(limit), "cursor": cursor, "status": status}
        response, data = self._get(
            "/jobs",
            {name: value for name, value in query.items() if value},
            deadline=deadline,
            wait_turn=wait_turn,
        )
        clock_skew = _clock_skew(response.headers.get("Date"), self._clock.wall())
        return JobPage.from_json(
            data, clock_skew=clock_skew, redact=self._transport.redact
        )

    def probe(self, *, seconds: float) -> HealthCheck:
        """
        GET /jobs?limit=1, once, to check that the service responds within `seconds`.

        Raises:
            ServiceError: there was no response.
        """
        response = self._transport.get("/jobs", {"limit": "1"}, seconds=seconds)
        rejection = None
        try:
            self._read(response)
        except KreaError as exc:
            rejection = exc
        clock_skew = _clock_skew(response.headers.get("Date"), self._clock.wall())
        return HealthCheck(rejection, clock_skew)

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
        POST /assets.  Retries if nothing was sent or the service is busy.
        """

        def send() -> dict[str, Any]:
            response = self._transport.post_file(
                "/assets", name, file, media_type, description=UPLOADED_BY_KREA
            )
            return self._read(response)

        data = retry(
            send,
            clock=self._clock,
            temporary_errors=(ConnectionFailedError, RateLimitError),
        )
        with self._unexpected("an asset without a URL"):
            return Asset.from_json(data, self._transport.redact)

    def assets(self, *, cursor: str | None = None) -> Page[Asset]:
        """
        GET /assets: one page of uploaded files.  `cursor` comes from the previous page.
        """
        _, data = self._get("/assets", _query(limit=MAX_PAGE_ITEMS, cursor=cursor))
        redact = self._transport.redact
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
            return Asset.from_json(data, self._transport.redact)

    def delete_asset(self, asset_id: str) -> None:
        """
        DELETE /assets/{id}.  Retries temporary failures.

        Raises:
            NotFoundError: the asset does not exist, or was deleted already.
        """

        def send_request() -> dict[str, Any]:
            return self._read(self._transport.delete(f"/assets/{asset_id}"))

        with _not_found(f"Asset {asset_id}", Action.LIST_ASSETS):
            data = retry(send_request, clock=self._clock)
        if data.get("success") is False:
            reason = (
                self._transport.redact(responses.error_reason(data))
                or "no reason given"
            )
            raise InvalidResponseError(
                f"Krea did not delete asset {asset_id} ({reason}).",
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
        GET /styles: one page of styles.  `filter_by` and `model` select styles, and
        `cursor` comes from the previous page.
        """
        query = _query(
            limit=MAX_PAGE_ITEMS, filter=filter_by, model=model, cursor=cursor
        )
        _, data = self._get("/styles", query)
        redact = self._transport.redact
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
            return Style.from_json(data, self._transport.redact)

    @contextmanager
    def _unexpected(self, found: str) -> Iterator[None]:
        """
        Raise a `ValueError` as InvalidResponseError with the description `found`.
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
        wait_turn: Callable[[], object] = lambda: None,
    ) -> tuple[Response, dict[str, Any]]:
        def send_request() -> tuple[Response, dict[str, Any]]:
            wait_turn()
            left = (
                RESPONSE_TIMEOUT_SECONDS
                if deadline is None
                else deadline - self._clock.now()
            )
            seconds = min(max(left, MIN_REQUEST_SECONDS), RESPONSE_TIMEOUT_SECONDS)
            response = self._transport.get(path, params, seconds=seconds)
            return response, self._read(response)

        return retry(send_request, clock=self._clock, deadline=deadline)

    def _read(self, response: Response) -> dict[str, Any]:
        return responses.read(
            response,
            host=self._transport.host,
            wall=self._clock.wall(),
            token_source=self._transport.token_source,
            redact=self._transport.redact,
        )

    def _job(self, data: Mapping[str, Any]) -> Job:
        try:
            return Job.from_json(data, self._transport.redact)
        except ValueError as exc:
            reason = self._transport.redact(responses.error_reason(data))
            raise InvalidResponseError(
                f"Unexpected response from {self._transport.host}: "
                f"a job without a valid {exc}" + (f" ({reason})." if reason else ".")
            ) from exc


@contextmanager
def _unknown_job(job_id: str) -> Iterator[None]:
    """
    Raise UnknownJobError for a 404.
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


def _clock_skew(date: str | None, wall: float) -> float | None:
    """
    Return the seconds by which a Date header is ahead of `wall`, or None without one.
    """
    seconds = parse_http_date(date)
    return None if seconds is None else seconds - wall
