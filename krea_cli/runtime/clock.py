"""
Time as the rest of the program sees it, and work that must not take longer than it may.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from krea_cli.runtime import signals

T = TypeVar("T")
_GLANCE_SECONDS = 0.05


def sleep(seconds: float) -> None:
    """
    `time.sleep`, that a signal ends in every thread that obeys it.
    """
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _GLANCE_SECONDS) if signals.interrupts_enabled() else left)
        signals.raise_if_interrupted()


class Clock(NamedTuple):
    """
    *now* is monotonic and in seconds: limits are kept with it alone.
    *wall* is seconds since the epoch, for what people and servers call the time.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = sleep
    wall: Callable[[], float] = time.time


def run_with_timeout(seconds: float, work: Callable[[], T]) -> T:
    """
    The result of *work*, which is left behind when it takes longer than *seconds*.

    The work runs in a daemon thread: a call that never returns (a keyring, a name
    server, a peer that sends a byte a minute) holds up neither Ctrl-C nor the end of
    the program.

    A signal that is held back leaves it 0.4 s more.

    Raises:
        TimeoutError: the time was up; whether the work still happens is not known.
        Interrupted: as `signals.raise_if_interrupted`; the same.
    """
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as exc:  # noqa: BLE001  (raised again where it is awaited)
            failures.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    _join(thread, seconds)
    if failures:
        raise failures[0]
    if not results:
        raise TimeoutError
    return results[0]


def _join(thread: threading.Thread, seconds: float) -> None:
    until = time.monotonic() + seconds
    # A signal that is held back, or one to another thread, does not end the waiting;
    # on Windows none does.
    glances = signals.is_held() or signals.interrupts_enabled()
    glances = glances or sys.platform == "win32"
    while thread.is_alive():
        signals.raise_if_interrupted()
        left = min(until - time.monotonic(), signals.seconds_left_for_cleanup())
        if left <= 0:
            return
        thread.join(min(left, _GLANCE_SECONDS) if glances else left)
