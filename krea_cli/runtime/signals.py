"""
SIGINT, SIGTERM and SIGHUP as an exception that nothing keeps by accident.

While something is done that must not be cut in two (the paid request and its record), a
signal is held back; who waits in there asks how much `patience` there is.

Python raises in the main thread alone.  A thread that is to end with a signal says so
with `obey`, and looks with `check` wherever it waits.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
# Signals that come so soon after one another are one.
ONE_SECONDS = 1.0
# What a signal leaves for work that must not be cut in two: the end is due in a second.
HASTE_SECONDS = 0.4


class Interrupted(BaseException):
    """
    A signal arrived.  It is no failure, so no `except Exception` may keep it.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class _State:
    signum: int | None = None
    at = 0.0


class _Here(threading.local):
    """
    The signal state of one thread.
    """

    is_held = False
    obeys = False


_here = _Here()


def catch() -> None:
    """
    Let signals raise Interrupted in the main thread from now on.
    """
    for name in SIGNALS:
        number = getattr(signal, name, None)
        # A shell starts background jobs with SIGINT ignored; so it stays.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def ignore() -> None:
    """
    The end has begun, and is near: nothing may cut it short.
    """
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _interrupt:
            # SIG_IGN would make Python complain of one that has arrived already.
            signal.signal(number, _nothing)


def arrived() -> bool:
    """
    Tell whether a signal arrived, even if Python lost its exception, as it
    does in callbacks.
    """
    return _State.signum is not None


def seconds_since() -> float:
    """
    Return the seconds since the last signal; 0.0 if there was none.
    """
    return time.monotonic() - _State.at if arrived() else 0.0


def is_held() -> bool:
    """
    Tell whether this thread defers signals.
    """
    return _here.is_held


def enable_interrupts() -> None:
    """
    Let `check` raise in this thread, which is not the main one, from now on.
    """
    _here.obeys = True


def interrupts_enabled() -> bool:
    """
    Tell whether this thread has to `check` while it waits.
    """
    return _here.obeys


def raise_if_interrupted() -> None:
    """
    Raises:
        Interrupted: a signal came, and this thread obeys and does not hold it back.
    """
    if _here.obeys and not _here.is_held:
        _raise_arrived()


def seconds_left_for_cleanup() -> float:
    """
    Seconds that held work may still take; infinite while no signal waits for its end.
    """
    if not (_here.is_held and arrived()):
        return math.inf
    return HASTE_SECONDS - seconds_since()


@contextmanager
def defer_signals() -> Iterator[None]:
    """
    A signal is raised before the work or after it, never in the middle.

    Raises:
        Interrupted: one came before or meanwhile; it stands for whatever the work
            raised.
    """
    _raise_arrived()
    _here.is_held = True
    try:
        yield
    finally:
        _here.is_held = False
        _raise_arrived()


def _raise_arrived() -> None:
    if _State.signum is not None:
        raise Interrupted(_State.signum)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    """
    Raise for a signal, unless it closely follows another: that one must not cut short
    the cleanup of the first. A later one may be needed, as Python loses an exception
    that is raised in a callback.
    """
    if _State.signum is not None and seconds_since() <= ONE_SECONDS:
        return
    _State.signum, _State.at = number, time.monotonic()
    if not _here.is_held:
        raise Interrupted(number)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    pass
