"""
Turn SIGINT, SIGTERM and SIGHUP into an exception that is not caught by accident.

Work that must not be interrupted (the paid request and its record) defers signals. If
it waits, it must respect `seconds_left_for_cleanup`.

Python raises signal handlers' exceptions only in the main thread. Other threads call
`enable_interrupts` once, and `raise_if_interrupted` wherever they wait.
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
# Signals within this time count as one.
REPEAT_SECONDS = 1.0
# Time for deferred work after a signal: the program must end within a second.
CLEANUP_SECONDS = 0.4


class Interrupted(BaseException):
    """
    A signal arrived.

    This is not an error, so it must not be caught by `except Exception`.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class _State:
    signum: int | None = None
    at = 0.0


class _ThreadState(threading.local):
    """
    Signal state of one thread.
    """

    is_held = False
    obeys = False


_thread = _ThreadState()


def catch() -> None:
    """
    Raise Interrupted in the main thread when a signal arrives, from now on.
    """
    for name in SIGNALS:
        number = getattr(signal, name, None)
        # Shells start background jobs with SIGINT ignored. Keep that.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def ignore() -> None:
    """
    Ignore signals from now on: the program is about to exit, and nothing may interrupt
    that.
    """
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _interrupt:
            # With SIG_IGN, Python would report a signal that has already arrived.
            signal.signal(number, _do_nothing)


def arrived() -> bool:
    """
    Return whether a signal arrived.

    This also works if Python lost its exception, as it does in callbacks.
    """
    return _State.signum is not None


def seconds_since() -> float:
    """
    Return the seconds since the last signal, or 0.0 if there was none.
    """
    return time.monotonic() - _State.at if arrived() else 0.0


def is_held() -> bool:
    """
    Return whether this thread defers signals.
    """
    return _thread.is_held


def enable_interrupts() -> None:
    """
    Let `raise_if_interrupted` raise in this thread, which is not the main thread.
    """
    _thread.obeys = True


def interrupts_enabled() -> bool:
    """
    Return whether this thread must call `raise_if_interrupted` while it waits.
    """
    return _thread.obeys


def raise_if_interrupted() -> None:
    """
    Raise Interrupted if a signal arrived and this thread does not defer it.

    Raises:
        Interrupted: a signal arrived, and this thread has interrupts enabled.
    """
    if _thread.obeys and not _thread.is_held:
        _raise_arrived()


def seconds_left_for_cleanup() -> float:
    """
    Return the seconds left for work that defers signals.

    They are infinite until a signal arrives, and then what remains of 0.4 s.
    """
    if not (_thread.is_held and arrived()):
        return math.inf
    return CLEANUP_SECONDS - seconds_since()


@contextmanager
def defer_signals() -> Iterator[None]:
    """
    Defer signals: they are raised before or after the work in this block, never during
    it.

    Raises:
        Interrupted: a signal arrived before or during the work. It replaces any error
            of the work.
    """
    _raise_arrived()
    _thread.is_held = True
    try:
        yield
    finally:
        _thread.is_held = False
        _raise_arrived()


def _raise_arrived() -> None:
    if _State.signum is not None:
        raise Interrupted(_State.signum)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    """
    Raise Interrupted, unless the signal closely follows another one.

    A second signal must not cut short the cleanup after the first. A later one may be
    necessary, because Python loses exceptions raised in callbacks.
    """
    if _State.signum is not None and seconds_since() <= REPEAT_SECONDS:
        return
    _State.signum, _State.at = number, time.monotonic()
    if not _thread.is_held:
        raise Interrupted(number)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass
