"""
Waits: a signal ends them even if nothing wakes the waiting thread.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager

import pytest

from krea_cli.runtime import clock

pytestmark = pytest.mark.posix


class Arrived(BaseException):
    pass


@contextmanager
def signal_of_another_thread():
    """
    Deliver a signal to a thread that is not the main one, after the wait has begun.

    Python notes it, but the system call of the main thread continues, as it does if the
    signal arrives just before the call.
    """

    def arrived(*_):
        raise Arrived

    def send():
        time.sleep(0.05)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        over.wait(5)

    over = threading.Event()
    before = signal.signal(signal.SIGUSR1, arrived)
    thread = threading.Thread(target=send)
    thread.start()
    started = time.monotonic()
    try:
        yield
    finally:
        took = time.monotonic() - started
        over.set()
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert took < 1


def test_sleep_ends_with_a_signal_that_does_not_wake_it():
    with signal_of_another_thread(), pytest.raises(Arrived):
        clock.sleep(5)


def test_run_with_timeout_ends_with_a_signal_that_does_not_wake_it():
    released = threading.Event()

    with signal_of_another_thread(), pytest.raises(Arrived):
        clock.run_with_timeout(5, lambda: released.wait(5))
    released.set()
