"""
End the program after a signal. This module imports almost nothing, because it is needed
before all others.
"""

from __future__ import annotations

import os
import sys


def exit_by_signal(number: int) -> None:
    """
    End the process by the signal itself, as if it had no handler. Only then does a
    shell stop the loop or script around it. After an exit code of 128 + `number` the
    shell would continue with the next command, which may cost money.
    """
    import signal

    if sys.platform != "win32":
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    # Windows has no such signals, and process 1 of a container ignores its own.
    os._exit(128 + number)
