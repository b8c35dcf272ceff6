"""
Retry requests after temporary failures.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from krea_cli.api.http_dates import parse_http_date
from krea_cli.errors import (
    ConnectionFailedError,
    RateLimitError,
    ResponseLostError,
    ServerError,
    ServiceError,
)
from krea_cli.runtime.clock import Clock

MAX_ATTEMPTS = 4
MAX_RETRY_SECONDS = 60.0
# Ignore a Retry-After of more than thirty years.
MAX_RETRY_AFTER_SECONDS = 1e9
_TEMPORARY_ERRORS = (
    ConnectionFailedError,
    ResponseLostError,
    ServerError,
    RateLimitError,
)
T = TypeVar("T")


def retry(
    work: Callable[[], T],
    *,
    clock: Clock,
    deadline: float | None = None,
    temporary_errors: tuple[type[ServiceError], ...] = _TEMPORARY_ERRORS,
) -> T:
    """
    Return the result of `work`.  Try up to four times while it raises one of
    `temporary_errors`.

    The pauses between attempts are 0.5, 1 and 2 s, shortened at random by up to half,
    or the error's `retry_after`.  If a pause would end after `deadline` (by
    `clock.now`; by default in a minute), give up without waiting.

    Raises:
        ServiceError: the last failure.
    """
    if deadline is None:
        deadline = clock.now() + MAX_RETRY_SECONDS
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return work()
        except temporary_errors as exc:
            pause = getattr(exc, "retry_after", None)
            if pause is None:
                # Jitter spreads the retries of many clients.
                pause = random.uniform(0.5, 1.0) * 2 ** (attempt - 1) / 2  # noqa: S311  (jitter)
            if attempt == MAX_ATTEMPTS or clock.now() + pause > deadline:
                raise
            clock.sleep(pause)
    raise AssertionError


def retry_after(value: str | None, now: float) -> float | None:
    """
    Return the seconds to wait according to a Retry-After header, which is a number or
    an HTTP date. `now` is in seconds since the epoch. None if the header is missing or
    invalid, or the time has passed.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until = parse_http_date(value)
        if until is None:
            return None
        seconds = until - now
    return seconds if 0 < seconds <= MAX_RETRY_AFTER_SECONDS else None
