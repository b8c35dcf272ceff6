"""
Run work in parallel, with results in order or shared between threads.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Generic, TypeVar

from krea_cli.runtime import signals
from krea_cli.runtime.worker_pool import WorkerPool

T = TypeVar("T")
_POLL_SECONDS = 0.05


class Task(Generic[T]):
    """
    Work that runs in a pool thread, or in the thread that first needs its result.

    Threads that wait for each other's work therefore cannot deadlock.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._claim, self._ending = threading.Lock(), threading.Lock()
        self._outcome = queue.SimpleQueue[tuple[T | None, BaseException | None]]()
        self._discard: Callable[[T], object] | None = None

    def run(self) -> None:
        """
        Do the work, unless another thread has started it.
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

    def result(self, *, helps: bool = True) -> T:
        """
        Return the result, or raise the error of the work.

        The work is done in this thread unless another one has started it. Without
        `helps`, wait for another thread, which must be certain to do it.
        """
        if helps:
            self.run()
        while True:
            signals.raise_if_interrupted()
            try:
                result, error = self._outcome.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            return result  # type: ignore[return-value]  # set if no error

    def cancel(self, discard: Callable[[T], object]) -> None:
        """
        Prevent the work from starting. If it has started, discard its result.
        """
        if self._claim.acquire(blocking=False):
            return
        with self._ending:
            self._discard = discard
            if not self._outcome.empty():
                result, error = self._outcome.get()
                if error is None:
                    discard(result)  # type: ignore[arg-type]  # likewise


@contextmanager
def results_in_order(
    works: Iterable[Callable[[], T]],
    pool: WorkerPool | None,
    *,
    ahead: int,
    helps: bool = True,
    discard: Callable[[T], object] = lambda _result: None,
) -> Iterator[Iterator[T]]:
    """
    Yield one iterator over the results of the works, in their order.

    `pool` works up to `ahead` results in advance. Without a pool, each work is done
    when its result is requested. Without `helps`, the pool does all of the work and
    must not be used for anything else. Unused results are passed to `discard` at the
    end.
    """
    left = iter(works)
    tasks = deque[Task[T]]()

    def begin_next() -> None:
        for work in islice(left, (ahead if pool else 1) - len(tasks)):
            tasks.append(Task(work))
            # The first is done by the thread that waits for it.
            if pool and (len(tasks) > 1 or not helps):
                pool.start(tasks[-1].run)

    def results() -> Iterator[T]:
        begin_next()
        while tasks:
            result = tasks[0].result(helps=helps or pool is None)
            tasks.popleft()
            begin_next()
            yield result

    try:
        yield results()
    finally:
        for task in tasks:
            task.cancel(discard)


class _Claim(Generic[T]):
    """
    Work that one thread does while others wait for it.
    """

    def __init__(self) -> None:
        self.under_way = threading.Lock()
        self.under_way.acquire()
        self.outcome: tuple[T | None, BaseException | None] | None = None

    def wait(self) -> T:
        while self.outcome is None:
            signals.raise_if_interrupted()
            if self.under_way.acquire(timeout=_POLL_SECONDS):
                self.under_way.release()
        result, error = self.outcome
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # set if no error


class SharedWork(Generic[T]):
    """
    Does the work for each key once, no matter how many threads ask for it.

    The first thread does the work, the others wait for the result. After a failure, the
    next thread that asks tries again. No lock is held while working.
    """

    def __init__(self) -> None:
        self._claims: dict[str, _Claim[T]] = {}

    def known(self, key: str) -> T | None:
        """
        Return the result for the key, or None if there is none yet.
        """
        claim = self._claims.get(key)
        return claim.outcome[0] if claim and claim.outcome else None

    def result(self, key: str, work: Callable[[], T]) -> T:
        """
        Return the result for the key, from this thread or another one.

        Raise the error of the work in every waiting thread.
        """
        mine = _Claim[T]()
        claim = self._claims.setdefault(key, mine)
        if claim is not mine:
            return claim.wait()
        try:
            result = work()
        except BaseException as exc:
            del self._claims[key]
            claim.outcome = (None, exc)
            raise
        else:
            claim.outcome = (result, None)
            return result
        finally:
            claim.under_way.release()
