from __future__ import annotations

import threading
from functools import partial

import pytest

from krea_cli.runtime.parallel import SharedWork, Task, results_in_order
from krea_cli.runtime.worker_pool import WorkerPool


def test_results_in_order_run_at_once_and_keep_their_order():
    """
    Each of ten works waits for all the others.
    """
    meeting = threading.Barrier(10)

    def work(number):
        meeting.wait(5)
        return number

    works = [partial(work, number) for number in range(10)]
    with (
        WorkerPool(9) as pool,
        results_in_order(works, pool, ahead=10, discard=print) as results,
    ):
        assert list(range(10)) == list(results)


def test_results_in_order_within_a_full_pool_do_not_wait_for_ever():
    """
    Every thread of the pool needs results itself.
    """
    found = []

    def job():
        works = [partial(int, number) for number in range(30)]
        with results_in_order(works, pool, ahead=10, discard=print) as results:
            found.append(list(results))

    with WorkerPool(2) as pool:
        for _ in range(6):
            pool.start(job)

    assert [list(range(30))] * 6 == found


def test_results_in_order_without_a_pool_run_when_they_are_asked_for():
    begun = []
    works = [partial(begun.append, number) for number in range(3)]
    with results_in_order(works, None, ahead=10, discard=print) as results:
        next(results)
    assert [0] == begun


def test_results_in_order_after_an_error_discard_what_nobody_took():
    """
    A result that was there, and one under way, whose thread discards it itself.
    """
    begun, third, go_on = (threading.Event() for _ in range(3))
    discarded = []

    def first():
        begun.wait(5)
        third.wait(5)
        raise KeyError

    def second():
        begun.set()
        go_on.wait(5)
        return 2

    def last():
        third.set()
        return 3

    with WorkerPool(4) as pool:
        with (
            pytest.raises(KeyError),
            results_in_order(
                [first, second, last], pool, ahead=10, discard=discarded.append
            ) as results,
        ):
            list(results)
        go_on.set()

    assert [2, 3] == sorted(discarded)


def test_task_cancelled_while_it_runs_discards_its_own_result():
    begun, go_on, discarded = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        go_on.wait(5)
        return 1

    task = Task(work)
    with WorkerPool(1) as pool:
        pool.start(task.run)
        begun.wait(5)
        task.cancel(discarded.append)
        go_on.set()

    assert [1] == discarded


def test_task_cancelled_before_it_runs_never_runs():
    done = []
    task = Task(lambda: done.append(1))
    task.cancel(print)
    task.run()
    assert [] == done


def test_task_cancelled_after_it_ran_discards_the_result():
    discarded = []
    task = Task(lambda: 1)
    task.run()
    task.cancel(discarded.append)
    assert [1] == discarded


def test_shared_work_is_done_once_for_all_that_ask_meanwhile():
    begun, go_on, works, found = threading.Event(), threading.Event(), [], []
    shared = SharedWork()

    def work():
        works.append(1)
        begun.set()
        go_on.wait(5)
        return "done"

    def ask():
        found.append(shared.result("key", work))

    with WorkerPool(3) as pool:
        pool.start(ask)
        begun.wait(5)
        pool.start(ask)
        pool.start(ask)
        assert shared.known("key") is None
        assert "other" == shared.result("another", lambda: "other")
        go_on.set()

    assert (["done"] * 3, [1]) == (found, works)
    assert "done" == shared.known("key")


def test_shared_work_that_fails_is_done_again_for_the_next():
    begun, go_on, shared, errors = (
        threading.Event(),
        threading.Event(),
        SharedWork(),
        [],
    )

    def fail():
        begun.set()
        go_on.wait(5)
        raise KeyError("no")

    def ask(work):
        try:
            shared.result("key", work)
        except KeyError as exc:
            errors.append(exc)

    with WorkerPool(2) as pool:
        pool.start(partial(ask, fail))
        begun.wait(5)
        pool.start(partial(ask, fail))
        go_on.set()

    assert 2 == len(errors)
    assert 1 == shared.result("key", lambda: 1)
