"""
Create private temporary folders, and clean up those of killed runs.

All of them are inside a private folder, `krea-cli-UID`, in the system's temporary
folder. Each has a marker file that its run keeps locked. Later runs delete a folder
only if it has a marker that is not locked and is older than a day. Nothing else is ever
deleted.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from krea_cli.errors import StorageError

if sys.platform != "win32":
    import fcntl

MARKER = "krea-cli.lock"
STALE_SECONDS = 24 * 3600
_ATTEMPTS = 10


class TemporaryFolder:
    """
    A new folder with mode 0700 at `path`. `close` deletes it with its content.
    """

    def __init__(self) -> None:
        """
        Create the folder.

        Raises:
            StorageError: there is no place for it, or the parent belongs to another
                user.
        """
        self._marker = -1
        self.path = self._make()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if sys.platform != "win32":  # Windows does not delete open files
            shutil.rmtree(self.path, ignore_errors=True)
        if self._marker >= 0:
            os.close(self._marker)
            self._marker = -1
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # another run has a folder there
            self.path.parent.rmdir()

    def _make(self) -> Path:
        for attempt in range(_ATTEMPTS):
            parent = _private_parent()
            if not attempt:
                remove_stale(parent)
            try:
                path = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
                self._marker = _new_locked(path / MARKER)
            except FileNotFoundError:
                continue  # another run has just deleted the empty parent
            except OSError as exc:
                raise _unusable(parent, exc) from exc
            else:
                return path
        raise StorageError(
            f"Cannot create a temporary folder in {tempfile.gettempdir()}.",
            hint="Set TMPDIR to a writable folder.",
        )


def remove_stale(parent: Path) -> None:
    """
    Delete folders in `parent` that killed runs left there more than a day ago.
    """
    if sys.platform == "win32":
        return
    with suppress(OSError):
        for folder in parent.iterdir():
            with suppress(OSError):
                _remove_if_stale(folder)


def try_lock(descriptor: int) -> bool:
    """
    Lock an open file without waiting.

    Return False if another process holds the lock, or locks are not supported.
    """
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def _remove_if_stale(folder: Path) -> None:
    marker = folder / MARKER
    found = marker.lstat()
    is_ours = stat.S_ISDIR(folder.lstat().st_mode) and stat.S_ISREG(found.st_mode)
    if not is_ours or time.time() - found.st_mtime <= STALE_SECONDS:
        return
    descriptor = os.open(marker, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        if try_lock(descriptor):
            shutil.rmtree(folder)
    finally:
        os.close(descriptor)


def _new_locked(marker: Path) -> int:
    """
    Create a file and lock it.

    On a file system without locks this works as well; such a folder is never deleted as
    stale.
    """
    descriptor = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try_lock(descriptor)
    return descriptor


def _private_parent() -> Path:
    """
    Return the folder that contains this user's temporary folders.

    Raises:
        StorageError: it cannot be created, or another user may have created it.
    """
    try:
        place = Path(tempfile.gettempdir())
    except FileNotFoundError as exc:
        raise StorageError(
            "No writable folder for temporary files.",
            hint="Set TMPDIR to a writable folder.",
        ) from exc
    uid = os.getuid() if hasattr(os, "getuid") else None
    parent = place / ("krea-cli" if uid is None else f"krea-cli-{uid}")
    try:
        with suppress(FileExistsError):
            parent.mkdir(mode=0o700)
        found = parent.lstat()
        is_own = uid in (None, found.st_uid)
        if not stat.S_ISDIR(found.st_mode) or not is_own:
            raise StorageError(
                f"Cannot use {parent} for temporary files: it is not your folder.",
                hint="Set TMPDIR to a folder of your own.",
            )
        if uid is not None and stat.S_IMODE(found.st_mode) != 0o700:
            parent.chmod(0o700)
    except OSError as exc:
        raise _unusable(parent, exc) from exc
    return parent


def _unusable(parent: Path, exc: OSError) -> StorageError:
    return StorageError(
        f"Cannot write to {parent}: {exc.strerror or exc}.",
        hint="Set TMPDIR to another folder.",
    )
