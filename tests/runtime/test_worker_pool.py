from __future__ import annotations

import threading
import time

import pytest

from krea_cli.runtime import worker_pool
from krea_cli.runtime.worker_pool import WorkerPool


def test_so_many_work_at_once_and_no_more():
    """
    Four of nine meet; the others come after them, and at the end all are done.
    """
    meeting = threading.Barrier(4)
    lock, working, most, done = threading.Lock(), [], [], []

    def work(number):
        with lock:
            working.append(number)
            most.append(len(working))
        if number < 4:
            meeting.wait(5)
        with lock:
            working.remove(number)
            done.append(number)

    with WorkerPool(4) as crew:
        for number in range(9):
            crew.start(lambda number=number: work(number))

    assert 4 == max(most)
    assert list(range(9)) == sorted(done)


def test_what_one_raises_stops_no_other_and_is_raised_at_the_end():
    """
    A bug is told as one, and not lost with its thread.
    """
    done = []

    def run():
        with WorkerPool(1) as crew:
            crew.start(lambda: 1 / 0)
            crew.start(lambda: done.append(1))

    with pytest.raises(ZeroDivisionError):
        run()

    assert [1] == done


def test_what_went_wrong_outside_counts_for_more():
    """
    The work is finished all the same.
    """
    done = []

    def run():
        with WorkerPool(1) as crew:
            crew.start(lambda: done.append(1 / 0))
            crew.start(lambda: done.append(1))
            raise KeyError

    with pytest.raises(KeyError):
        run()

    assert [1] == done


def test_rest_ends_with_the_work(monkeypatch):
    monkeypatch.setattr(worker_pool, "_POLL_SECONDS", 5)
    started = time.monotonic()

    with WorkerPool(2) as pool:
        for _ in range(4):
            pool.start(lambda: None)
        pool.rest()
        is_busy = pool.is_busy

    assert not is_busy
    assert time.monotonic() - started < 2
