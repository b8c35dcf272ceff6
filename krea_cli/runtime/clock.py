"""
Provide the time to the rest of the program, and limit how long work may take.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from krea_cli.runtime import signals

T = TypeVar("T")
# A signal does not end every wait: not in other threads, not on Windows, and not if it
# arrives just before the wait begins or goes to another thread. So wait in short steps.
_POLL_SECONDS = 0.05


def sleep(seconds: float) -> None:
    """
    Sleep like `time.sleep`, but wake up for signals in the main thread and in every
    thread that has interrupts enabled.

    Raises:
        Interrupted: as in `signals.raise_if_interrupted`.
    """
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _POLL_SECONDS))
        signals.raise_if_interrupted()


class Clock(NamedTuple):
    """
    The current time.

    `now` is monotonic, in seconds, and used for all timeouts. `wall` is in seconds
    since the epoch and used for dates and times.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = sleep
    wall: Callable[[], float] = time.time


def run_with_timeout(seconds: float, work: Callable[[], T]) -> T:
    """
    Run `work` in a thread and return its result, or give up after `seconds`.

    The thread is a daemon: a call that never returns (a keyring, a name server, a peer
    that sends a byte a minute) cannot block Ctrl-C or the end of the program. After a
    deferred signal, `work` gets 0.4 s more.

    Raises:
        TimeoutError: the time is up. The work may or may not still be carried out.
        Interrupted: as in `signals.raise_if_interrupted`. The same applies.
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
    join_thread(thread, seconds)
    if failures:
        raise failures[0]
    if not results:
        raise TimeoutError
    return results[0]


def join_thread(thread: threading.Thread, seconds: float) -> None:
    """
    Wait at most `seconds` for the thread to end, or 0.4 s after a deferred signal.

    Raises:
        Interrupted: as in `signals.raise_if_interrupted`.
    """
    until = time.monotonic() + seconds
    while thread.is_alive():
        signals.raise_if_interrupted()
        left = min(until - time.monotonic(), signals.seconds_left_for_cleanup())
        if left <= 0:
            return
        thread.join(min(left, _POLL_SECONDS))
