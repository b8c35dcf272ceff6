"""
Limit the number of downloads in progress.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from krea_cli.errors import ConnectionFailedError, ServerError
from krea_cli.runtime import signals

# More downloads at once would hardly be faster.
MAX_AT_ONCE = 11
# A few more threads than downloads, as some write results to disk.
MAX_THREADS = MAX_AT_ONCE + 3
_SIGNAL_CHECK_SECONDS = 0.05


class AdaptiveLimit:
    """
    Limit the downloads in progress. Halve the limit after a server error or a failed
    connection; raise it by one after each round without a failure.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = self._limit = maximum
        self._condition = threading.Condition()
        self._active = self._succeeded = self._halvings = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """
        Wait until another download may start, and adapt the limit to its outcome.
        """
        with self._condition:
            while not self._enter():
                self._condition.wait(_SIGNAL_CHECK_SECONDS)
                signals.raise_if_interrupted()
        halvings = self._halvings
        try:
            yield
        except (ServerError, ConnectionFailedError):
            self._leave(is_success=False, halvings=halvings)
            raise
        except BaseException:
            self._leave(halvings=halvings)
            raise
        self._leave(is_success=True, halvings=halvings)

    def _enter(self) -> bool:
        is_free = self._active < self._limit
        self._active += is_free
        return is_free

    def _leave(self, *, halvings: int, is_success: bool | None = None) -> None:
        with self._condition:
            self._active -= 1
            # Downloads that started before the last halving do not count again.
            if is_success is False and halvings == self._halvings:
                self._limit = max(1, self._limit // 2)
                self._halvings, self._succeeded = self._halvings + 1, 0
            self._succeeded += is_success is True
            if self._succeeded >= self._limit:
                self._limit = min(self._limit + 1, self._maximum)
                self._succeeded = 0
            self._condition.notify_all()
