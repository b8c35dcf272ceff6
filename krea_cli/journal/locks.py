"""
Check whether files in a folder can be locked.
"""

from __future__ import annotations

import errno
import sys
import tempfile
from pathlib import Path

_NO_LOCKS = {
    errno.ENOLCK,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EINVAL,
}


def has_locks(folder: Path) -> bool:
    """
    Lock a temporary file in the folder. Return True if this cannot be tested.

    Do not use the journal itself, because closing a file releases all locks that this
    process has on it.
    """
    if sys.platform == "win32":
        return True
    import fcntl  # not available on Windows

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        return exc.errno not in _NO_LOCKS
    return True
