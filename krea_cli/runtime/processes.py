"""
Query other processes on this machine: whether they run, and since when.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

# Windows constant.
_QUERY_LIMITED_INFORMATION = 0x1000
_NO_SUCH_PROCESS = 87
_STILL_ACTIVE = 259
_MAX_PID = 2**32 - 1


def is_running(pid: int) -> bool | None:
    """
    Return whether the process exists, or None if the system does not say.
    """
    if sys.platform == "win32":
        began = _began(pid)
        return None if began is None else bool(began)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return None
    # One that has ended keeps its number until its parent asks how.
    state = (_stat(pid) or [""])[0]
    return state not in ("Z", "X")


def started(pid: int) -> str:
    """
    Return the start time of a process in the system's own units; empty if unknown.
    """
    if sys.platform == "win32":
        return _began(pid) or ""
    found = _stat(pid)
    return found[19] if len(found) > 19 else ""


def _stat(pid: int) -> list[str]:
    """
    Return the facts that Linux lists after the name of a process: its state is the
    first, its start time the twentieth. Elsewhere the list is empty.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _began(pid: int) -> str | None:
    """
    Return the start time of a Windows process.

    It is empty if the process has ended, and None if access is denied.
    """
    if sys.platform == "win32" and pid <= _MAX_PID:
        import ctypes

        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.OpenProcess.restype = ctypes.c_void_p
        handle = kernel32.OpenProcess(_QUERY_LIMITED_INFORMATION, 0, pid)
        if not handle:
            return "" if ctypes.get_last_error() == _NO_SUCH_PROCESS else None
        try:
            return _began_of_handle(kernel32, ctypes.c_void_p(handle))
        finally:
            kernel32.CloseHandle(ctypes.c_void_p(handle))
    return None


def _began_of_handle(kernel32: Any, handle: Any) -> str | None:
    import ctypes

    code = ctypes.c_ulong()
    if not kernel32.GetExitCodeProcess(handle, ctypes.byref(code)):
        return None
    if code.value != _STILL_ACTIVE:
        return ""
    times = [ctypes.c_ulonglong() for _ in range(4)]
    if not kernel32.GetProcessTimes(handle, *map(ctypes.byref, times)):
        return None
    return str(times[0].value)
