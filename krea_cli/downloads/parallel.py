"""
Limit how many downloads are under way at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from krea_cli.errors import ConnectionFailedError, ServerError
from krea_cli.runtime import signals

# Hosts of results gain little from more.
MAX_AT_ONCE = 11
# Threads for downloads, and for results that are being put on the disk meanwhile.
MAX_THREADS = MAX_AT_ONCE + 3
_GLANCE_SECONDS = 0.05


class AdaptiveLimit:
    """
    Limit the downloads under way: half as many after a host fails or refuses, one more
    after each round without a failure.
    """

    def __init__(self, most: int) -> None:
        self._most = self._limit = most
        self._changed = threading.Condition()
        self._active = self._succeeded = self._halvings = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """
        Wait until another download may begin, and learn from how it ends.
        """
        with self._changed:
            while not self._enter():
                self._changed.wait(_GLANCE_SECONDS)
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
        with self._changed:
            self._active -= 1
            # Downloads that began together fail together, and count once.
            if is_success is False and halvings == self._halvings:
                self._limit = max(1, self._limit // 2)
                self._halvings, self._succeeded = self._halvings + 1, 0
            self._succeeded += is_success is True
            if self._succeeded >= self._limit:
                self._limit = min(self._limit + 1, self._most)
                self._succeeded = 0
            self._changed.notify_all()
