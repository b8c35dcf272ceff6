"""
Files that are whole or not there, and that never take the place of another.

The bytes go to a temporary file in the folder of the target, which gets its name only
when it is finished: flushed to the disk, then linked, which fails when the name is
taken (hazards F4 to F11, F19).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import stat
import tempfile
import time
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path
from typing import Self

from krea_cli.delivery.renaming import rename_new
from krea_cli.errors import StorageError, TargetError, TargetExistsError

_PREFIX, _SUFFIX = ".krea-", ".part"
_STALE_SECONDS = 24 * 3600
_FRESH_BYTES = 8 * 2**20
# About what a small result has.
_ROOM_BYTES = 2**20


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
        self._fresh = 0
        self.path = folder / f"{_PREFIX}{secrets.token_hex(6)}{_SUFFIX}"
        try:
            self.file = _open_new(self.path)
        except OSError as exc:
            raise unwritable(folder, exc) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A full disk may tell so only when the file is closed.
        with suppress(OSError):
            self.file.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        """
        Raises:
            StorageError: it cannot be written.
        """
        try:
            self.file.write(chunk)
            self.file.flush()
        except OSError as exc:
            raise unwritable(self.path.parent, exc) from exc
        self._fresh += len(chunk)
        if self._fresh >= _FRESH_BYTES:
            self._fresh = 0
            self._begin_to_sync()

    def _begin_to_sync(self) -> None:
        """
        Have what was written on its way to the disk, where the system can be told so:
        the end, which waits for all of it, comes sooner.
        """
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):
                os.posix_fadvise(self.file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def keep_only(self, size: int) -> None:
        """
        Go on behind the first *size* bytes; what came after them is gone.

        Raises:
            StorageError: as `write`.
        """
        try:
            self.file.seek(size)
            self.file.truncate()
        except OSError as exc:
            raise unwritable(self.path.parent, exc) from exc

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


def holds(path: Path, *, size: int, sha256: str) -> bool:
    """
    Whether there is a file, no link, with exactly this content.
    """
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def exists(target: Path) -> TargetExistsError:
    return TargetExistsError(
        f"{target} exists, and nothing is overwritten.",
        hint="Choose another name with -o, or allow it with --force.",
    )


def unwritable(place: Path, exc: OSError) -> TargetError:
    return TargetError(
        f"{place} cannot be written: {exc.strerror or exc}.",
        hint="Choose another place with -o.",
    )


def check_folder(folder: Path) -> None:
    """
    Find out now, and not after something was paid for, whether files can be made here,
    and whether there is room for any (hazard F11).

    Raises:
        StorageError: the folder is missing, is none, or cannot be written to.
    """
    _sweep(folder)
    try:
        with NewFile(folder) as new:
            new.write(bytes(_ROOM_BYTES))
    except StorageError as exc:
        if not isinstance(exc.__cause__, FileNotFoundError):
            raise
        raise TargetError(
            f"The folder {folder} does not exist.",
            hint=f"Make it: mkdir -p {shlex.quote(str(folder))}\n"
            f"Or let krea make it, and name the file: -o {shlex.quote(f'{folder}/')}",
        ) from exc


def temporary_folder() -> Path:
    """
    Where a result is until it is whole that gets no name of its own.

    Raises:
        StorageError: there is none.
    """
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as exc:
        raise StorageError(
            "There is no folder for temporary files.",
            hint="Name one that can be written to: TMPDIR=FOLDER",
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
        _name_without_links(path, target)


def _name_without_links(path: Path, target: Path) -> None:
    try:
        rename_new(path, target)
    except FileExistsError:
        raise exists(target) from None
    except (OSError, NotImplementedError):
        _name_in_two_steps(path, target)


def _name_in_two_steps(path: Path, target: Path) -> None:
    """
    Take the name first, then the place: where nothing else can be done, although a run
    that is killed in between leaves an empty file.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        raise exists(target) from None
    try:
        path.replace(target)
    except BaseException:
        target.unlink()
        raise
