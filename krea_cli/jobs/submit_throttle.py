"""
How many paid requests may be on their way at once, and when the next may leave.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from krea_cli.errors import RateLimitError
from krea_cli.runtime import signals
from krea_cli.runtime.clock import Clock

# So many at once at first; one more after each round that the service took.
FIRST, MOST = 4, 16
# What the service's own scripts wait when it takes no more for now.
PAUSES_SECONDS = (5.0, 15.0, 45.0)
LEAST_PAUSE_SECONDS = 1.0
_GLANCE_SECONDS = 0.05


class SubmitThrottle:
    """
    As many at once as the service takes: half of them after it refused one with 429,
    and then none before the time that it asked for.  Several threads may share it.
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
        Wait until one more may leave; it is on its way until the end of the context.
        """
        with self._room:
            while self._under_way >= int(self._most):
                # A thread of the crew has to look for signals by itself.
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

    def taken(self) -> None:
        """
        The service took one.
        """
        with self._room:
            self._most = min(self._most + 1 / self._most, MOST)
            self._pauses = iter(PAUSES_SECONDS)

    def refused(self, exc: RateLimitError) -> tuple[float | None, bool]:
        """
        How long there is to wait now, None when it was long enough, and whether that is
        news: what is refused meanwhile was on its way already.
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
            return max(exc.retry_after, LEAST_PAUSE_SECONDS)
        if left > 0:
            return left
        pause = next(self._pauses, None)
        # Jitter keeps clients apart; nothing secret hangs on it.
        return pause and pause * random.uniform(0.8, 1.2)  # noqa: S311  (jitter)
