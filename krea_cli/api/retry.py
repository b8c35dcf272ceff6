"""
Repeat requests that are safe to repeat.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from krea_cli.api.http_dates import seconds_of
from krea_cli.errors import (
    ConnectionFailedError,
    RateLimitError,
    ResponseLostError,
    ServerError,
    ServiceError,
)
from krea_cli.runtime.clock import Clock

ATTEMPTS = 4
PATIENCE_SECONDS = 60.0
# More than thirty years are no advice.
MAX_SECONDS = 1e9
_PASSING = (ConnectionFailedError, ResponseLostError, ServerError, RateLimitError)
T = TypeVar("T")


def retry(
    work: Callable[[], T],
    *,
    clock: Clock,
    deadline: float | None = None,
    passing: tuple[type[ServiceError], ...] = _PASSING,
) -> T:
    """
    Return the result of *work*, tried up to four times while its failure is temporary.

    Between tries it sleeps 0.5, 1, 2 s with full jitter, or what the
    service asked for.  It gives up at once when that would outlast *deadline* (on the
    monotonic clock; without one, a minute from now).

    Raises:
        ServiceError: the last failure.
    """
    if deadline is None:
        deadline = clock.now() + PATIENCE_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except passing as exc:
            pause = getattr(exc, "retry_after", None)
            if pause is None:
                # Jitter keeps clients apart; nothing secret hangs on it.
                pause = random.uniform(0.5, 1.0) * 2 ** (attempt - 1) / 2  # noqa: S311
            if attempt == ATTEMPTS or clock.now() + pause > deadline:
                raise
            clock.sleep(pause)
    raise AssertionError


def retry_after(value: str | None, now: float) -> float | None:
    """
    Return the seconds to wait by a Retry-After header: a number, or an HTTP date
    compared with *now*. None if it is missing, past, negative or invalid.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until = seconds_of(value)
        if until is None:
            return None
        seconds = until - now
    return seconds if 0 < seconds <= MAX_SECONDS else None
