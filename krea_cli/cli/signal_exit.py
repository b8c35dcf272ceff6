"""
End the program after a signal. This module imports next to nothing, because it is
needed before anything else is loaded.
"""

from __future__ import annotations

import os
import sys


def exit_by_signal(number: int) -> None:
    """
    End by the signal itself, as if it had not been handled: only then does a shell stop
    the loop or script around this program. After an exit code of 128 + *number* it
    would continue with the next command, which may be a paid one.
    """
    import signal

    if sys.platform != "win32":
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    # Windows has no such end, and process 1 of a container survives its own signals.
    os._exit(128 + number)
