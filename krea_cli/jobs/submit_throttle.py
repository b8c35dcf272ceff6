"""
Limit how many paid requests are on their way at once, and how soon the next may leave.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from krea_cli.errors import RateLimitError
from krea_cli.runtime import signals
from krea_cli.runtime.clock import Clock

# The number at once at first; one more after each round that the service accepted.
FIRST, MOST = 4, 16
# The service's own scripts wait so long when it accepts no more for now.
PAUSES_SECONDS = (5.0, 15.0, 45.0)
MIN_PAUSE_SECONDS = 1.0
_GLANCE_SECONDS = 0.05


class SubmitThrottle:
    """
    Allows as many requests at once as the service accepts: half as many after a 429,
    and then none before the time that it named. Several threads may share it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._room = threading.Condition()
        self._most = float(FIRST)
        self._under_way = 0
        self._not_before = clock.now()
        self._pauses = iter(PAUSES_SECONDS)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """
        Wait until one more request may leave. It is on its way until the end of the
        context.
        """
        with self._room:
            while self._under_way >= int(self._most):
                # Signals do not wake worker threads: they have to check by themselves.
                self._room.wait(_GLANCE_SECONDS)
                signals.raise_if_interrupted()
            self._under_way += 1
        try:
            while (left := self._not_before - self._clock.now()) > 0:
                self._clock.sleep(left)
            yield
        finally:
            with self._room:
                self._under_way -= 1
                self._room.notify()

    def accepted(self) -> None:
        """
        Note that the service accepted a request.
        """
        with self._room:
            self._most = min(self._most + 1 / self._most, MOST)
            self._pauses = iter(PAUSES_SECONDS)

    def rejected(self, exc: RateLimitError) -> tuple[float | None, bool]:
        """
        Note a 429. Return how many seconds to wait, None after all attempts, and
        whether that is news: requests refused in the meantime were on their way
        already.
        """
        with self._room:
            now = self._clock.now()
            is_news = now >= self._not_before
            pause = self._pause(exc, self._not_before - now)
            if pause is not None:
                self._not_before = max(self._not_before, now + pause)
            if is_news:
                self._most = max(1.0, self._most / 2)
            return pause, is_news

    def _pause(self, exc: RateLimitError, left: float) -> float | None:
        if exc.retry_after is not None:
            return max(exc.retry_after, MIN_PAUSE_SECONDS)
        if left > 0:
            return left
        pause = next(self._pauses, None)
        # Jitter keeps clients apart. It protects no secret.
        return pause and pause * random.uniform(0.8, 1.2)  # noqa: S311  (jitter)
