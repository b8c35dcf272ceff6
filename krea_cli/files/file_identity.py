"""
Recognize a file that was seen before.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class FileIdentity(NamedTuple):
    """
    A file as it was at one moment. Whatever replaces or changes it has another size,
    time or inode.
    """

    path: str
    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileIdentity | None:
        """
        Return the identity of what has the name now, None where there is nothing.
        """
        try:
            found = path.lstat()
        except OSError:
            return None
        return cls(str(path.absolute()), found.st_size, found.st_mtime_ns, found.st_ino)
