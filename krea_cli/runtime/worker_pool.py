"""
Run several pieces of work at once, each in its own thread.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from krea_cli.runtime import signals
from krea_cli.runtime.signals import Interrupted

Work = Callable[[], object]
_POLL_SECONDS = 0.02
# Time for threads to end after a signal: the program must end within a second.
SHUTDOWN_SECONDS = 0.7


class WorkerPool:
    """
    Runs up to `most` pieces of work at once; the others wait.

    As a context manager, it waits for all work and then raises the first error. After a
    signal, no work is started, and running work ends when it next waits
    (`signals.raise_if_interrupted`). Threads that take longer than 0.7 s are abandoned.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = queue.SimpleQueue[Work | None]()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._starting = threading.Lock()
        self._started = 0
        self._ended: list[None] = []
        # A word from each piece of work that ended, for a thread that rests.
        self._ends = queue.SimpleQueue[None]()

    @property
    def is_busy(self) -> bool:
        return self._started > len(self._ended)

    def start(self, work: Work) -> None:
        """
        Do the work as soon as a thread is free. Work may start further work.
        """
        with self._starting:
            if len(self._threads) < self._most:
                thread = threading.Thread(target=self._work, daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # No more threads are available: use the existing ones.
                    if not self._threads:
                        raise
                else:
                    self._threads.append(thread)
            self._started += 1
        self._waiting.put(work)

    def rest(self, seconds: float = math.inf) -> None:
        """
        Sleep for `seconds`, or until all work is done.
        """
        until = time.monotonic() + seconds
        while self.is_busy and time.monotonic() < until:
            # On Windows, a signal is noticed only between waits.
            with suppress(queue.Empty):
                self._ends.get(timeout=_POLL_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, value: BaseException | None, __: object) -> None:
        for _ in self._threads:
            self._waiting.put(None)
        try:
            self._join()
        except Interrupted:
            self._join()
            raise
        if value is None and self._failures:
            raise self._failures[0]

    def _join(self) -> None:
        for thread in self._threads:
            while thread.is_alive() and signals.seconds_since() < SHUTDOWN_SECONDS:
                thread.join(_POLL_SECONDS)

    def _work(self) -> None:
        signals.enable_interrupts()
        while (work := self._waiting.get()) and not signals.arrived():
            try:
                work()
            except Interrupted:
                return
            except BaseException as exc:  # noqa: BLE001  (raised where it is awaited)
                self._failures.append(exc)
            self._ended.append(None)
            self._ends.put(None)
