"""
Read a response: return its JSON, or raise the error that it stands for.

The service's documents and its answers differ (bodies with "error", "message" or
"detail", HTML for unknown paths), so everything is read with care and quoted short.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from krea_cli.api.http_dates import seconds_of
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

QUOTED = 500
REFUSED = (400, 404, 405, 409, 410, 413, 414, 415, 417, 422, 431, 451)
# Too many, and too early: neither is begun.
_LATER = (429, 425)
_BETWEEN = (
    "Check the API URL, and whether a proxy or login page intercepts the connection."
)
_PAGE = "an HTML page"
_IS_PAGE = f"the response is {_PAGE}"
_LISTS = ("detail", "details", "errors", "issues", "validationErrors")


def read(
    answer: Response,
    *,
    host: str,
    wall: float,
    token_source: str = "",
    redact: Callable[[str], str] = str,
) -> dict[str, Any]:
    """
    The JSON object of a good answer; {} for one without content.  *wall* is the time
    now, for a Retry-After that is a date in an answer without one; *token_source* is
    where the token comes from, and *redact* takes it out of the service's words.

    Raises:
        KreaError: what a bad answer stands for.
        InvalidResponseError: the answer is good, but no JSON object.
    """
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _error(answer, redact(_reason(answer)), host, wall, token_source)
    if answer.status == HTTPStatus.NO_CONTENT:
        return {}
    data = _json(answer.content)
    if not isinstance(data, dict):
        raise InvalidResponseError(
            f"Expected JSON from {host}, got {_kind(answer)}.",
            hint=_BETWEEN,
        )
    return data


def _error(
    answer: Response, reason: str, host: str, wall: float, token_source: str
) -> KreaError:
    status = answer.status
    status_and_reason = f"{status}: {reason}" if reason else f"{status}"
    if status in (401, 403):
        return _rejected(f"({status_and_reason})", token_source)
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return BalanceError(
            f"The API balance is empty ({status_and_reason}).",
            hint="Top up your API balance. It is separate from the app's compute "
            "units.",
        )
    if status in REFUSED:
        why = f": {reason}" if reason else " without giving a reason."
        return RequestRejectedError(
            f"Krea rejected the request ({status}){why}",
            status=status,
            hint=_BETWEEN if reason == _IS_PAGE else None,
        )
    # A date in an answer is by the clock that its Date is of, which may be wrong.
    now = seconds_of(answer.headers.get("Date"))
    pause = retry_after(answer.headers.get("Retry-After"), wall if now is None else now)
    later = None if pause is None else f"Try again in {pause:.0f} s."
    if status in _LATER:
        return RateLimitError(
            f"Krea is busy ({status_and_reason}).",
            hint=later
            or "This call was rejected and cost nothing. Run the command again later.",
            retry_after=pause,
        )
    if status >= 500 or status == HTTPStatus.REQUEST_TIMEOUT:
        return ServerError(
            f"Server error at {host} ({status_and_reason}).",
            hint=later,
            retry_after=pause,
        )
    message = f"Unexpected response from {host} ({status_and_reason})."
    hint = later
    if status < 400 and status != HTTPStatus.SEE_OTHER:
        message = f"{host} sent a redirect ({status}). Redirects are not followed."
        hint = later or _BETWEEN
    return InvalidResponseError(
        message, hint=hint, retry_after=pause, is_lasting=400 <= status < 500
    )


def _rejected(said: str, source: str) -> TokenRejectedError:
    create = "Create a token: https://www.krea.ai/app/api/tokens"
    if source.startswith("KREA_"):
        hint: tuple[Hint, ...] = (f"Set {source} to a valid token.", create)
    elif source == "token_command":
        hint = (create, Step(Action.CHECK_TOKEN_COMMAND))
    else:
        hint = (create, Step(Action.LOG_IN))
    origin = f" from {source}" if source else ""
    return TokenRejectedError(f"Krea rejected the API token{origin} {said}.", hint=hint)


def _reason(answer: Response) -> str:
    """
    Return the reason for an error; empty if the response has none.
    """
    data = _json(answer.content)
    if not isinstance(data, dict):
        return _IS_PAGE if _kind(answer) == _PAGE else ""
    return said(data)


def said(data: Mapping[str, Any]) -> str:
    """
    Return the reason in an error response, without its final period; empty if there is
    none.
    """
    words = [_text(data.get(key)) for key in ("error", "message", "reason")]
    for key in _LISTS:
        issues = data.get(key)
        words += map(_issue, issues if isinstance(issues, list) else [issues])
    if replacement := _text(data.get("replacement")):
        words.append(f"use {replacement}")
    text = "; ".join(dict.fromkeys(filter(None, words)))
    return text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"


def _text(value: object) -> str:
    """
    The words of a string, or of an object that has them under "message" or "code".
    """
    if isinstance(value, dict):
        value = value.get("message") or value.get("code")
    return " ".join(value.split()).rstrip(".") if isinstance(value, str) else ""


def _issue(issue: object) -> str:
    if not isinstance(issue, dict):
        return _text(issue)
    place = issue.get("path") or issue.get("loc") or ""
    parts = place if isinstance(place, list) else [place]
    place = ".".join(str(part) for part in parts if isinstance(part, str | int))
    words = _text(issue.get("message")) or _text(issue.get("msg"))
    return f"{place}: {words}" if place else words


def _json(content: bytes) -> Any:
    """
    The value, or None for what is no JSON: cut, endless in depth, or of other kinds.
    """
    try:
        return parse_strict_json(content)
    except (ValueError, RecursionError):
        return None


def _kind(answer: Response) -> str:
    content = answer.content.lstrip()[:200].lower()
    if not content:
        return "an empty response"
    if content.startswith(b"<") or "html" in answer.headers.get("Content-Type", ""):
        return _PAGE
    return "unreadable data"
