"""
Several downloads at once, in the order in which their files are to be named.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Generic, TypeVar

from krea_cli.errors import ConnectionFailedError, ServerError
from krea_cli.runtime import signals
from krea_cli.runtime.clock import Clock
from krea_cli.runtime.worker_pool import WorkerPool

T = TypeVar("T")
# Hosts of results, and disks, gain little from more.
MOST_AT_ONCE = 10
_GLANCE_SECONDS = 0.05


class AdaptiveLimit:
    """
    Limit the downloads under way: half as many after a host fails or refuses, one more
    after each round without a failure.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = self._limit = most
        self._clock = clock
        self._lock = threading.Lock()
        self._active = self._succeeded = self._halvings = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """
        Wait until another download may begin, and learn from how it ends.
        """
        while not self._enter():
            self._clock.sleep(_GLANCE_SECONDS)
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
        with self._lock:
            is_free = self._active < self._limit
            self._active += is_free
        return is_free

    def _leave(self, *, halvings: int, is_success: bool | None = None) -> None:
        with self._lock:
            self._active -= 1
            # Downloads that began together fail together, and count once.
            if is_success is False and halvings == self._halvings:
                self._limit = max(1, self._limit // 2)
                self._halvings, self._succeeded = self._halvings + 1, 0
            self._succeeded += is_success is True
            if self._succeeded >= self._limit:
                self._limit = min(self._limit + 1, self._most)
                self._succeeded = 0


class Task(Generic[T]):
    """
    Work that a thread of a pool may begin, and that whoever needs it begins otherwise:
    so threads that wait for each other's work never wait for ever.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._claim, self._ending = threading.Lock(), threading.Lock()
        self._outcome = queue.SimpleQueue[tuple[T | None, BaseException | None]]()
        self._discard: Callable[[T], object] | None = None

    def run(self) -> None:
        """
        Do the work, unless another thread has begun it.
        """
        if not self._claim.acquire(blocking=False):
            return
        try:
            result = self._work()
        except BaseException as exc:
            self._outcome.put((None, exc))
            if isinstance(exc, signals.Interrupted):
                raise
            return
        with self._ending:
            self._outcome.put((result, None))
            if self._discard:
                self._discard(result)

    def result(self) -> T:
        """
        Return the result, from this thread or another.  Raise the error of the work.
        """
        self.run()
        while True:
            signals.raise_if_interrupted()
            try:
                result, error = self._outcome.get(timeout=_GLANCE_SECONDS)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            return result  # type: ignore[return-value]

    def cancel(self, discard: Callable[[T], object]) -> None:
        """
        Never begin the work.  Discard its result if it has begun.
        """
        if self._claim.acquire(blocking=False):
            return
        with self._ending:
            self._discard = discard
            if not self._outcome.empty():
                result, error = self._outcome.get()
                if error is None:
                    discard(result)  # type: ignore[arg-type]


@contextmanager
def results_in_order(
    works: Iterable[Callable[[], T]],
    pool: WorkerPool | None,
    *,
    discard: Callable[[T], object],
) -> Iterator[Iterator[T]]:
    """
    Yield the results of the works in order, while *pool* does those that come next.
    Without a pool, each is done when it is asked for.

    Results that nobody took are discarded at the end.
    """
    left = iter(works)
    tasks = deque[Task[T]]()

    def begin_next() -> None:
        for work in islice(left, (MOST_AT_ONCE if pool else 1) - len(tasks)):
            tasks.append(Task(work))
            # The first is done by whoever waits for it.
            if pool and len(tasks) > 1:
                pool.start(tasks[-1].run)

    def results() -> Iterator[T]:
        begin_next()
        while tasks:
            result = tasks[0].result()
            tasks.popleft()
            begin_next()
            yield result

    try:
        yield results()
    finally:
        for task in tasks:
            task.cancel(discard)
