"""
Limit how many paid requests are in flight at once, and when the next may be sent.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from krea_cli.errors import RateLimitError
from krea_cli.runtime import signals
from krea_cli.runtime.clock import Clock

# As many requests at once at first; one more after each round that was accepted.
INITIAL_CONCURRENCY, MAX_CONCURRENCY = 4, 16
# Krea's own scripts make these pauses after a 429.
PAUSES_SECONDS = (5.0, 15.0, 45.0)
MIN_PAUSE_SECONDS = 1.0
_SIGNAL_CHECK_SECONDS = 0.05


class SubmitThrottle:
    """
    Adapt the number of requests in flight to the service: halve it after a 429, and
    send none until the pause is over. The class is thread-safe.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._condition = threading.Condition()
        self._limit = float(INITIAL_CONCURRENCY)
        self._in_flight = 0
        self._not_before = clock.now()
        self._pauses = iter(PAUSES_SECONDS)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """
        Wait until one more request may be sent. It is in flight until the context ends.
        """
        with self._condition:
            while self._in_flight >= int(self._limit):
                # Signals do not wake worker threads: they have to check by themselves.
                self._condition.wait(_SIGNAL_CHECK_SECONDS)
                signals.raise_if_interrupted()
            self._in_flight += 1
        try:
            while (left := self._not_before - self._clock.now()) > 0:
                self._clock.sleep(left)
            yield
        finally:
            with self._condition:
                self._in_flight -= 1
                self._condition.notify()

    def accepted(self) -> None:
        """
        Record that the service accepted a request.
        """
        with self._condition:
            self._limit = min(self._limit + 1 / self._limit, MAX_CONCURRENCY)
            self._pauses = iter(PAUSES_SECONDS)

    def rejected(self, exc: RateLimitError) -> tuple[float | None, bool]:
        """
        Record a 429. Return the seconds to wait, None when all attempts are used up,
        and True if this starts a new pause: other requests in flight may be rejected
        during the same pause.
        """
        with self._condition:
            now = self._clock.now()
            is_news = now >= self._not_before
            pause = self._pause(exc, self._not_before - now)
            if pause is not None:
                self._not_before = max(self._not_before, now + pause)
            if is_news:
                self._limit = max(1.0, self._limit / 2)
            return pause, is_news

    def _pause(self, exc: RateLimitError, left: float) -> float | None:
        if exc.retry_after is not None:
            return max(exc.retry_after, MIN_PAUSE_SECONDS)
        if left > 0:
            return left
        pause = next(self._pauses, None)
        # Jitter spreads the retries of many clients.
        return pause and pause * random.uniform(0.8, 1.2)  # noqa: S311  (jitter)
