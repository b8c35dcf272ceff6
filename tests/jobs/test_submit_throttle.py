from __future__ import annotations

import signal
import threading
from contextlib import ExitStack

import pytest

from krea_cli.errors import RateLimitError
from krea_cli.jobs import submit_throttle
from krea_cli.jobs.submit_throttle import (
    INITIAL_CONCURRENCY,
    MAX_CONCURRENCY,
    SubmitThrottle,
)
from krea_cli.runtime.signals import Interrupted


@pytest.fixture
def throttle(time):
    return SubmitThrottle(time.clock)


def busy(retry_after=None):
    error = RateLimitError("busy")
    error.retry_after = retry_after
    return error


def at_once(throttle, wanted):
    """
    How many of so many threads have their turn at once.
    """
    over, under_way = threading.Event(), threading.Semaphore(0)

    def run():
        with throttle.turn():
            under_way.release()
            over.wait(10)

    threads = [threading.Thread(target=run) for _ in range(wanted)]
    for thread in threads:
        thread.start()
    count = 0
    while under_way.acquire(timeout=0.2 if count else 5):
        count += 1
    over.set()
    for thread in threads:
        thread.join()
    return count


@pytest.mark.long
def test_four_at_first_and_half_of_them_after_a_refusal(throttle, time):
    """
    However many of them were refused at once; then more again with each that is taken,
    up to sixteen.
    """
    counts = [at_once(throttle, 6)]
    for _ in range(4):
        throttle.rejected(busy(1.0))
    counts.append(at_once(throttle, 6))
    for _ in range(500):
        throttle.accepted()
    counts.append(at_once(throttle, MAX_CONCURRENCY + 2))

    assert [INITIAL_CONCURRENCY, INITIAL_CONCURRENCY // 2, MAX_CONCURRENCY] == counts


def test_turn_past_the_first_four_waits_and_ends_by_a_signal(throttle, monkeypatch):
    def interrupt():
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(submit_throttle, "_SIGNAL_CHECK_SECONDS", 0.01)
    monkeypatch.setattr(submit_throttle.signals, "raise_if_interrupted", interrupt)

    with ExitStack() as turns:
        for _ in range(INITIAL_CONCURRENCY):
            turns.enter_context(throttle.turn())
        with pytest.raises(Interrupted), throttle.turn():
            pass
    with throttle.turn():
        pass


def test_nobody_sends_before_the_time_that_was_asked_for(throttle, time):
    """
    What is refused meanwhile is no news, and does not shorten it.
    """
    told = [throttle.rejected(busy(7.0)), throttle.rejected(busy(3.0))]
    with throttle.turn():
        first = time.elapsed
    with throttle.turn():
        second = time.elapsed

    assert [(7.0, True), (3.0, False)] == told
    assert (7.0, 7.0) == (first, second)


def test_the_pauses_of_one_burst_are_one(throttle, time):
    """
    A service that does not say when is asked after about 5, 15 and 45 s, and no more;
    anew once it has taken one.
    """
    pauses = []
    for _ in range(4):
        pauses.append(throttle.rejected(busy())[0])
        time.elapsed += 0.1
        pauses.append(throttle.rejected(busy())[0])
        time.elapsed += 100
    throttle.accepted()
    again = throttle.rejected(busy())[0]

    assert pauses[:6:2] == [pytest.approx(each, rel=0.2) for each in (5, 15, 45)]
    assert [pytest.approx(each - 0.1) for each in pauses[:6:2]] == pauses[1:6:2]
    assert [None, None] == pauses[6:]
    assert 4 <= again <= 6
