"""
Read and change settings of Windows.
"""

from __future__ import annotations

import sys

# Maximum path length without the final NUL, unless long paths are enabled.
MAX_PATH_CHARACTERS = 259
_ENABLE_PROCESSED_OUTPUT, _ENABLE_VIRTUAL_TERMINAL_PROCESSING = 1, 4


def enable_escape_codes(descriptor: int) -> bool:
    """
    Enable escape codes on a console. They are off by default outside Windows Terminal.

    Return False if that fails or `descriptor` is not a console.
    """
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        try:
            handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        except OSError:
            return False
        mode = ctypes.c_ulong()
        if not kernel32.GetConsoleMode(handle, ctypes.byref(mode)):
            return False
        needed = _ENABLE_PROCESSED_OUTPUT | _ENABLE_VIRTUAL_TERMINAL_PROCESSING
        return bool(kernel32.SetConsoleMode(handle, mode.value | needed))
    return False


def has_long_paths() -> bool:
    """
    Return whether this computer allows paths longer than MAX_PATH_CHARACTERS.
    """
    if sys.platform == "win32":
        import winreg

        place = r"SYSTEM\CurrentControlSet\Control\FileSystem"
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
                return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
        except OSError:
            return False
    return True
