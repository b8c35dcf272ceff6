from __future__ import annotations

import threading
from functools import partial

import pytest

from krea_cli.downloads.parallel import AdaptiveLimit, Task, results_in_order
from krea_cli.errors import ConnectionFailedError, DownloadError, ServerError
from krea_cli.runtime.worker_pool import WorkerPool


def entered(limit):
    """
    How many downloads may begin at this moment.
    """
    count = 0
    while limit._enter():
        count += 1
    for _ in range(count):
        limit._leave(halvings=limit._halvings)
    return count


def end(limit, error=None):
    try:
        with limit.slot():
            if error:
                raise error
    except type(error or KeyError()):
        pass


def test_limit_at_first_allows_the_most(time):
    assert 10 == entered(AdaptiveLimit(10, time.clock))


@pytest.mark.parametrize("kind", [ServerError, ConnectionFailedError])
def test_limit_after_a_failure_of_the_host_is_halved(time, kind):
    limit = AdaptiveLimit(10, time.clock)
    end(limit, kind("no"))
    assert 5 == entered(limit)
    for _ in range(9):
        end(limit, kind("no"))
    assert 1 == entered(limit)


def test_limit_after_a_result_that_is_none_stays(time):
    limit = AdaptiveLimit(10, time.clock)
    end(limit, DownloadError("empty"))
    assert 10 == entered(limit)


def test_limit_after_failures_of_one_moment_is_halved_once(time):
    limit = AdaptiveLimit(8, time.clock)
    first, second = limit.slot(), limit.slot()
    first.__enter__(), second.__enter__()
    for slot in (first, second):
        slot.__exit__(ServerError, ServerError("no"), None)
    assert 4 == entered(limit)


def test_limit_after_a_good_round_grows_by_one_up_to_the_most(time):
    limit = AdaptiveLimit(4, time.clock)
    end(limit, ServerError("no"))
    end(limit)
    end(limit)
    assert 3 == entered(limit)
    for _ in range(99):
        end(limit)
    assert 4 == entered(limit)


def test_results_in_order_run_at_once_and_keep_their_order():
    """
    Each of ten works waits for all the others.
    """
    meeting = threading.Barrier(10)

    def work(number):
        meeting.wait(5)
        return number

    works = [partial(work, number) for number in range(10)]
    with WorkerPool(9) as pool, results_in_order(works, pool, discard=print) as results:
        assert list(range(10)) == list(results)


def test_results_in_order_within_a_full_pool_do_not_wait_for_ever():
    """
    Every thread of the pool needs results itself.
    """
    found = []

    def job():
        works = [partial(int, number) for number in range(30)]
        with results_in_order(works, pool, discard=print) as results:
            found.append(list(results))

    with WorkerPool(2) as pool:
        for _ in range(6):
            pool.start(job)

    assert [list(range(30))] * 6 == found


def test_results_in_order_without_a_pool_run_when_they_are_asked_for():
    begun = []
    works = [partial(begun.append, number) for number in range(3)]
    with results_in_order(works, None, discard=print) as results:
        next(results)
    assert [0] == begun


def test_results_in_order_after_an_error_discard_what_nobody_took():
    """
    A result that was there, and one under way, whose thread discards it itself.
    """
    third, go_on, discarded = threading.Event(), threading.Event(), []

    def first():
        third.wait(5)
        raise KeyError

    def second():
        go_on.wait(5)
        return 2

    def last():
        third.set()
        return 3

    with WorkerPool(4) as pool:
        with (
            pytest.raises(KeyError),
            results_in_order(
                [first, second, last], pool, discard=discarded.append
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
