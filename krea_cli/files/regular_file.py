"""
Read whole files that may turn out to be something else.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

# Opening a named pipe must not wait for somebody to write to it.
NONBLOCK = getattr(os, "O_NONBLOCK", 0)


def read_regular(path: Path, most: int) -> bytes:
    """
    Return the content of a file, up to one byte more than *most*: enough to see that it
    is too large.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    flags = os.O_RDONLY | NONBLOCK | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        check_regular(file.fileno())
        return file.read(most + 1)


def check_regular(descriptor: int) -> None:
    """
    Raises:
        OSError: the open file is a folder, a named pipe, a socket or a device.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")
