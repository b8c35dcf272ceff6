"""
Read a response: return its JSON, or raise the error that it reports.

Error responses differ from the service's documentation: the reason may be in "error",
"message" or "detail", and unknown paths return HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from krea_cli.api.http_dates import parse_http_date
from krea_cli.api.http_types import Response
from krea_cli.api.retry import retry_after
from krea_cli.errors import (
    Action,
    BalanceError,
    Hint,
    InvalidResponseError,
    KreaError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    Step,
    TokenRejectedError,
)
from krea_cli.runtime.strict_json import parse_strict_json

MAX_REASON_CHARS = 500
_REJECTED_STATUSES = (400, 404, 405, 409, 410, 413, 414, 415, 417, 422, 431, 451)
# Too Many Requests and Too Early: the request was not carried out.
_RATE_LIMIT_STATUSES = (429, 425)
_CHECK_PROXY_HINT = (
    "Check the API URL, and whether a proxy or login page intercepts the connection."
)
_HTML_PAGE = "an HTML page"
_IS_HTML_PAGE = f"the response is {_HTML_PAGE}"
_ISSUE_KEYS = ("detail", "details", "errors", "issues", "validationErrors")


def read(
    response: Response,
    *,
    host: str,
    wall: float,
    token_source: str = "",
    redact: Callable[[str], str] = str,
) -> dict[str, Any]:
    """
    Return the JSON object of a success response, {} for 204 No Content.

    `wall` is the current time, used to read a date in Retry-After if the response has
    no Date header. `token_source` is the setting that the token comes from. `redact`
    removes the token from the reason of an error.

    Raises:
        KreaError: the error that an error response reports.
        InvalidResponseError: a success response is not a JSON object.
    """
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _service_error(
            response, redact(_reason(response)), host, wall, token_source
        )
    if response.status == HTTPStatus.NO_CONTENT:
        return {}
    data = _parse_json(response.content)
    if not isinstance(data, dict):
        raise InvalidResponseError(
            f"Expected JSON from {host}, got {_describe_content(response)}.",
            hint=_CHECK_PROXY_HINT,
        )
    return data


def _service_error(
    response: Response, reason: str, host: str, wall: float, token_source: str
) -> KreaError:
    status = response.status
    status_and_reason = f"{status}: {reason}" if reason else f"{status}"
    if status in (401, 403):
        return _token_rejected(f"({status_and_reason})", token_source)
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return BalanceError(
            f"The API balance is empty ({status_and_reason}).",
            hint="Top up your API balance. It is separate from the app's compute "
            "units.",
        )
    if status in _REJECTED_STATUSES:
        why = f": {reason}." if reason else " without giving a reason."
        return RequestRejectedError(
            f"Krea rejected the request ({status}){why}",
            status=status,
            hint=_CHECK_PROXY_HINT if reason == _IS_HTML_PAGE else None,
        )
    # Compare a date in Retry-After with the server's own clock, which may be wrong.
    now = parse_http_date(response.headers.get("Date"))
    retry_after_seconds = retry_after(
        response.headers.get("Retry-After"), wall if now is None else now
    )
    later = (
        None
        if retry_after_seconds is None
        else f"Try again in {retry_after_seconds:.0f} s."
    )
    if status in _RATE_LIMIT_STATUSES:
        return RateLimitError(
            f"Krea is busy ({status_and_reason}).",
            hint=later or "Wait a moment, then try again.",
            retry_after=retry_after_seconds,
        )
    if status >= 500 or status == HTTPStatus.REQUEST_TIMEOUT:
        return ServerError(
            f"Server error at {host} ({status_and_reason}).",
            hint=later,
            retry_after=retry_after_seconds,
        )
    message = f"Unexpected response from {host} ({status_and_reason})."
    hint = later
    if status < 400 and status != HTTPStatus.SEE_OTHER:
        message = f"{host} sent a redirect ({status}). Redirects are not followed."
        hint = later or _CHECK_PROXY_HINT
    return InvalidResponseError(
        message,
        hint=hint,
        retry_after=retry_after_seconds,
        is_lasting=400 <= status < 500,
    )


def _token_rejected(error_reason: str, source: str) -> TokenRejectedError:
    create = "Create a token: https://www.krea.ai/app/api/tokens"
    if source.startswith("KREA_"):
        hint: tuple[Hint, ...] = (f"Set {source} to a valid token.", create)
    elif source == "token_command":
        hint = (create, Step(Action.CHECK_TOKEN_COMMAND))
    else:
        hint = (create, Step(Action.LOG_IN))
    origin = f" from {source}" if source else ""
    return TokenRejectedError(
        f"Krea rejected the API token{origin} {error_reason}.", hint=hint
    )


def _reason(response: Response) -> str:
    """
    Return the reason for an error; empty if the response has none.
    """
    data = _parse_json(response.content)
    if not isinstance(data, dict):
        return _IS_HTML_PAGE if _describe_content(response) == _HTML_PAGE else ""
    return error_reason(data)


def error_reason(data: Mapping[str, Any]) -> str:
    """
    Return the reason in an error response, without a final period; "" without a reason.
    """
    reasons = [_text(data.get(key)) for key in ("error", "message", "reason")]
    for key in _ISSUE_KEYS:
        issues = data.get(key)
        reasons += map(_issue_text, issues if isinstance(issues, list) else [issues])
    if replacement := _text(data.get("replacement")):
        reasons.append(f"use {replacement}")
    text = "; ".join(dict.fromkeys(filter(None, reasons)))
    return text if len(text) <= MAX_REASON_CHARS else text[: MAX_REASON_CHARS - 1] + "…"


def _text(value: object) -> str:
    """
    Return a string on one line. Of an object, use its "message" or "code".
    """
    if isinstance(value, dict):
        value = value.get("message") or value.get("code")
    return " ".join(value.split()).rstrip(".") if isinstance(value, str) else ""


def _issue_text(issue: object) -> str:
    if not isinstance(issue, dict):
        return _text(issue)
    place = issue.get("path") or issue.get("loc") or ""
    parts = place if isinstance(place, list) else [place]
    place = ".".join(str(part) for part in parts if isinstance(part, str | int))
    text = _text(issue.get("message")) or _text(issue.get("msg"))
    return f"{place}: {text}" if place else text


def _parse_json(content: bytes) -> Any:
    """
    Parse JSON; return None if it is invalid or nested too deeply.
    """
    try:
        return parse_strict_json(content)
    except (ValueError, RecursionError):
        return None


def _describe_content(response: Response) -> str:
    content = response.content.lstrip()[:200].lower()
    if not content:
        return "an empty response"
    if content.startswith(b"<") or "html" in response.headers.get("Content-Type", ""):
        return _HTML_PAGE
    return "unreadable data"
