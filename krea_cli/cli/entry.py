"""
The console script, and `python -m krea_cli`.

The rest of the program takes a tenth of a second to load. A signal until then ends it
without a message, because nothing has begun.
"""

from __future__ import annotations

import gc
import os

from krea_cli.cli.signal_exit import exit_by_signal


def run() -> None:
    """
    Run the program, and end the process with its exit code.
    """
    try:
        _catch()
    except KeyboardInterrupt:  # a signal arrived before there was a handler
        try:
            exit_by_signal(2)
        except KeyboardInterrupt:  # a second signal
            os._exit(130)

    # The loaded modules stay alive, so collecting garbage in them wastes time.
    gc.disable()
    if os.environ.get("_KREA_COMPLETE"):
        from krea_cli.cli.completion.main import run
    else:
        from krea_cli.cli.main import run
    gc.freeze()
    gc.enable()

    run()


def _catch() -> None:
    # A signal may also arrive while this is being loaded.
    import signal

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # Shells start background jobs with SIGINT ignored, and that must stay so.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _leave)


def _leave(number: int, _frame: object) -> None:
    exit_by_signal(number)
