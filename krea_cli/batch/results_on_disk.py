"""
Check results on disk: whether they exist, and whether they are unchanged.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from krea_cli.batch.lock import LockedFile


@dataclass(frozen=True, slots=True)
class ResultsOnDisk:
    """
    The results in `folder`, by relative path. Each file is hashed at most once.
    """

    folder: Path
    _hashes: dict[str, str | None] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        return self.folder / name

    def exists(self, name: str) -> bool:
        return os.path.lexists(self.path(name))

    def sha256(self, name: str) -> str | None:
        """
        Return the SHA-256 of a regular file, or None for anything else.
        """
        if name not in self._hashes:
            self._hashes[name] = _sha256(self.path(name))
        return self._hashes[name]

    def is_one_of(self, name: str, files: Iterable[LockedFile]) -> bool:
        """
        Return whether the file has the same content as one of `files`.
        """
        hashes = {file.sha256 for file in files}
        return bool(hashes) and self.sha256(name) in hashes

    def is_unchanged(self, file: LockedFile) -> bool:
        """
        Return whether a file still has the content that was saved.
        """
        return self.has_size(file) and self.sha256(file.path) == file.sha256

    def has_size(self, file: LockedFile) -> bool:
        """
        Return whether a file still has the size that was saved. This is quick, because
        the file is not read.
        """
        try:
            found = self.path(file.path).stat()
        except OSError:
            return False
        return not file.size_bytes or found.st_size == file.size_bytes


def _sha256(path: Path) -> str | None:
    try:
        # Opening a named pipe would wait for a writer.
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
