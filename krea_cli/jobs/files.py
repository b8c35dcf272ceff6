"""
Files that are whole or not there, and that never take the place of another.

The bytes go to a temporary file in the folder of the target, which gets its name only
when it is finished: flushed to the disk, then linked, which fails when the name is
taken (hazards F4 to F11, F19).
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path
from types import TracebackType
from typing import Self

from krea_cli.errors import StorageError, TargetExistsError

_PREFIX, _SUFFIX = ".krea-", ".part"
_STALE_SECONDS = 24 * 3600


class NewFile:
    """
    A file in the making; *path* is its temporary place, *file* is open for both ways.

    As a context manager it leaves nothing behind unless it was published.
    """

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            StorageError: nothing can be made in *folder*.
        """
        self.path = folder / f"{_PREFIX}{secrets.token_hex(6)}{_SUFFIX}"
        try:
            self.file = _open_new(self.path)
        except OSError as exc:
            raise unwritable(folder, exc) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A full disk may tell so only when the file is closed.
        with suppress(OSError):
            self.file.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def publish(self, target: Path, *, force: bool = False) -> None:
        """
        Give the file its name.  Its mode is by the umask (hazard F8).  *force* replaces
        what has the name: a link itself, never what it points to (hazard F5).

        Raises:
            TargetExistsError: the name is taken.
            StorageError: the bytes or the name cannot be written.
        """
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            _name(self.path, target, force=force)
        except OSError as exc:
            raise unwritable(target, exc) from exc


def exists(target: Path) -> TargetExistsError:
    return TargetExistsError(
        f"{target} exists, and nothing is overwritten.",
        hint="Choose another name with -o, or allow it with --force.",
    )


def unwritable(place: Path, exc: OSError) -> StorageError:
    return StorageError(
        f"{place} cannot be written: {exc.strerror or exc}.",
        hint="Choose another place with -o.",
    )


def check_folder(folder: Path) -> None:
    """
    Find out now, and not after something was paid for, whether files can be made here.

    Raises:
        StorageError: the folder is missing, is none, or cannot be written to.
    """
    _sweep(folder)
    try:
        with NewFile(folder):
            pass
    except StorageError as exc:
        if not isinstance(exc.__cause__, FileNotFoundError):
            raise
        raise StorageError(
            f"The folder {folder} does not exist.",
            hint=f"Make it, or let krea make it: -o {folder}/",
        ) from exc


def _sweep(folder: Path) -> None:
    """
    Take away what killed runs left here a day ago or earlier (hazard F9).
    """
    with suppress(OSError):
        for part in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
            if time.time() - part.lstat().st_mtime > _STALE_SECONDS:
                part.unlink()


def _open_new(path: Path) -> BufferedRandom:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "w+b")


def _name(path: Path, target: Path, *, force: bool) -> None:
    if force:
        path.replace(target)
        return
    try:
        os.link(path, target)
    except FileExistsError:
        raise exists(target) from None
    except OSError:
        # A file system without hard links: take the name first, then the place.
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            raise exists(target) from None
        try:
            path.replace(target)
        except BaseException:
            target.unlink()
            raise
