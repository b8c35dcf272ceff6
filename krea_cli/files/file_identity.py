"""
Recognize whether a file has changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class FileIdentity(NamedTuple):
    """
    A file at one moment. Replacing or changing it changes its size, time or inode.
    """

    path: str
    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileIdentity | None:
        """
        Return the identity of the file, or None if it does not exist.
        """
        try:
            found = path.lstat()
        except OSError:
            return None
        return cls(str(path.absolute()), found.st_size, found.st_mtime_ns, found.st_ino)
