"""
A rename that never replaces anything: for file systems without hard links, such as FAT.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_HERE, _NOREPLACE = -100, 1  # of Linux: AT_FDCWD, RENAME_NOREPLACE
_EXCL = 4  # of macOS: RENAME_EXCL


def rename_new(path: Path, target: Path) -> None:
    """
    Give the file another name in one step, so that it has one of both at any moment.

    Raises:
        FileExistsError: the other name is taken.
        NotImplementedError: this system knows no such rename.
        OSError: it cannot be done here.
    """
    if sys.platform == "win32":
        path.rename(target)  # which does not replace there
        return
    import ctypes  # Python itself has no name for this call

    libc = ctypes.CDLL(None, use_errno=True)
    old, new = os.fsencode(path), os.fsencode(target)
    try:
        if sys.platform == "darwin":
            failed = libc.renamex_np(old, new, _EXCL)
        else:
            failed = libc.renameat2(_HERE, old, _HERE, new, _NOREPLACE)
    except AttributeError:
        raise NotImplementedError from None
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
