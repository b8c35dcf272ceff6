"""
The end of the program after a signal.  It imports next to nothing, as it is needed
before anything else is loaded.
"""

from __future__ import annotations

import os
import sys


def exit_by_signal(number: int) -> None:
    """
    End by the signal itself, as if nobody had handled it: only then does a shell stop
    the loop or script around this program.  With an exit code of 128 + *number* it
    would go on to the next command, which may be a paid one.
    """
    import signal

    if sys.platform != "win32":
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    # Windows has no such end, and process 1 of a container outlives its own signals.
    os._exit(128 + number)
