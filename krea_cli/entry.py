"""
The console script, and `python -m krea_cli`.

The rest of the program takes a tenth of a second to load; a signal until then ends it
without a word, as nothing has begun.
"""

from __future__ import annotations

import os
import signal


def run() -> None:
    """
    Run the program; it ends with its exit code.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # A shell starts background jobs with SIGINT ignored; so it stays (hazard S4).
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: os._exit(128 + number))

    if os.environ.get("_KREA_COMPLETE"):
        from krea_cli.completion.main import run
    else:
        from krea_cli.main import run

    run()
