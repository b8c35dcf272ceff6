"""
Limit the rate of polls.
"""

from __future__ import annotations

import threading

from krea_cli.runtime.clock import Clock

SPACING_SECONDS = 0.2


class RateLimiter:
    """
    Allow five polls a second in total, for all jobs and threads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock.now()

    def wait_turn(self) -> None:
        """
        Sleep until 0.2 s after the previous turn. The first turn is immediate.
        """
        with self._lock:
            left = self._free_at - self._clock.now()
            self._free_at += max(0.0, -left) + SPACING_SECONDS
        if left > 0:
            self._clock.sleep(left)
