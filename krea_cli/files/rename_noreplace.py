"""
Rename files without replacing others, on file systems without hard links such as FAT.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_HERE, _NOREPLACE = -100, 1  # Linux: AT_FDCWD, RENAME_NOREPLACE
_EXCL = 4  # macOS: RENAME_EXCL


def rename_noreplace(path: Path, target: Path) -> None:
    """
    Rename the file atomically: at any moment it has exactly one of the two names.

    Raises:
        FileExistsError: the new name is taken.
        NotImplementedError: this system has no such operation.
        OSError: the rename failed.
    """
    if sys.platform == "win32":
        path.rename(target)  # on Windows this never replaces a file
        return
    import ctypes  # the standard library does not wrap this call

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
