"""
Tell whether files can be locked in a folder.
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
    Lock a temporary file in the folder. True where that cannot be tried.

    Another file is tried than the one in question: closing a file gives up every lock
    that this process has on it.
    """
    if sys.platform == "win32":
        return True
    import fcntl  # which Windows does not have

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        return exc.errno not in _NO_LOCKS
    return True
