"""
Write files that are either complete or missing, without replacing other files.

The content is written to a temporary file in the target's folder. When it is complete
and flushed to disk, the file is linked to its final name, which fails if the name is
taken.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import sys
import time
from contextlib import suppress
from functools import cache
from io import BufferedRandom
from pathlib import Path
from typing import Self

from krea_cli.errors import StorageError, TargetError, TargetExistsError
from krea_cli.files.rename_noreplace import rename_noreplace
from krea_cli.files.temporary import STALE_SECONDS, try_lock
from krea_cli.files.windows_paths import check_windows_path
from krea_cli.runtime import shell_words
from krea_cli.runtime.os_reasons import reason_of

_PREFIX, _SUFFIX = ".krea-", ".part"
# The name begins with a mark of the running system. On that system, a file that is not
# locked is certainly not being written any more.
_PART = re.compile(r"\.krea-([0-9a-f]{6})?[0-9a-f]{12}\.part")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# A file is not locked in its first moment, nor between its last byte and its name.
_SETTLED_SECONDS = 60
# Links to open descriptors are in these folders.
_DESCRIPTORS = re.compile(r"/proc/(self|thread-self|\d+)(/task/\d+)?/fd|/dev/fd")
_MAX_LINKS = 40
_FRESH_BYTES = 8 * 2**20
_OPEN_ELSEWHERE_SECONDS = (0.05, 0.1, 0.2, 0.4) if sys.platform == "win32" else ()
# Roughly the size of a small result.
_ROOM_BYTES = 2**20


class AtomicFile:
    """
    A file being written. `path` is its temporary location; `file` is open for reading
    and writing.

    As a context manager, it deletes the file unless it was published.
    """

    def __init__(self, folder: Path, *, mode: int = 0o666) -> None:
        """
        Create the temporary file. The umask is applied to `mode`.

        Raises:
            StorageError: no file can be created in `folder`.
        """
        self._fresh = 0
        name = f"{_PREFIX}{_system_id()}{secrets.token_hex(6)}{_SUFFIX}"
        self.path = folder / name
        try:
            self.file = _open_new(self.path, mode)
        except OSError as exc:
            raise write_error(folder, exc) from exc
        # The lock tells other runs that this is not a leftover of a killed run.
        try_lock(self.file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """
        Close the file, and delete it unless it was published.
        """
        # A full disk may be reported only when the file is closed.
        with suppress(OSError):
            self.file.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        """
        Append bytes to the file.

        Raises:
            StorageError: the bytes cannot be written.
        """
        try:
            self.file.write(chunk)
            self.file.flush()
        except OSError as exc:
            raise write_error(self.path.parent, exc) from exc
        self._fresh += len(chunk)
        if self._fresh >= _FRESH_BYTES:
            self._fresh = 0
            self._start_writeback()

    def _start_writeback(self) -> None:
        """
        Start writing cached data to disk, if the system supports it.

        This shortens the final sync, which waits for all data.
        """
        if sys.platform == "linux":
            with suppress(OSError):
                os.posix_fadvise(self.file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def truncate(self, size: int) -> None:
        """
        Truncate the file to `size` bytes, and continue writing there.

        Raises:
            StorageError: as in `write`.
        """
        try:
            self.file.seek(size)
            self.file.truncate()
        except OSError as exc:
            raise write_error(self.path.parent, exc) from exc

    def publish(self, target: Path, *, force: bool = False) -> None:
        """
        Give the file its final name, with permissions according to the umask.

        `force` replaces an existing file; if that is a symbolic link, the link is
        replaced, not its target. Devices and the like are never replaced, not even
        behind a link.

        Raises:
            TargetExistsError: the name is taken.
            StorageError: the content or the name cannot be written.
        """
        check_replaceable(target)
        try:
            self.file.flush()
            _sync(self.file.fileno())
            self.file.close()
            _link(self.path, target, force=force)
        except OSError as exc:
            raise write_error(target, exc) from exc


def replace_file(target: Path, data: bytes) -> None:
    """
    Atomically write a file that only this user can access.

    An existing file is replaced; symbolic links are followed.

    Raises:
        OSError: the file cannot be written. An existing file is unchanged.
    """
    target = Path(os.path.realpath(target))
    part = target.with_name(f"{_PREFIX}{secrets.token_hex(6)}{_SUFFIX}")
    try:
        with _open_new(part, 0o600) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def has_content(path: Path, *, size: int, sha256: str) -> bool:
    """
    Return whether the path is a regular file (not a link) with exactly this content.
    """
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def target_exists_error(target: Path) -> TargetExistsError:
    if target.is_dir():  # --force does not replace folders
        return TargetExistsError(
            f"{target} already exists and is a folder.",
            hint="Choose another name with -o.",
        )
    return TargetExistsError(f"{target} already exists (use --force to overwrite).")


def write_error(place: Path, exc: OSError) -> TargetError:
    return TargetError(
        f"Cannot write {'to this folder' if str(place) == '.' else place}: "
        f"{reason_of(exc)}.",
        hint="Choose another place with -o.",
    )


def check_folder(folder: Path) -> None:
    """
    Check that files can be created in the folder and that the disk is not full.

    This is called before anything is paid for.

    Raises:
        StorageError: the folder is missing, not a folder, or not writable.
    """
    _remove_stale_files(folder)
    try:
        with AtomicFile(folder) as new:
            new.write(bytes(_ROOM_BYTES))
    except StorageError as exc:
        if not isinstance(exc.__cause__, FileNotFoundError):
            raise
        raise TargetError(
            f"Folder {folder} does not exist.",
            hint=f"Create it: {shell_words.make_folder(str(folder))}\n"
            "Or let krea create the folder and choose the name: -o "
            f"{shell_words.quote(f'{folder}/')}",
        ) from exc


def check_replaceable(target: Path) -> None:
    """
    Check that the target is a name that `publish` may write to.

    Raises:
        StorageError: the target is a device, a FIFO, a socket or an open descriptor, or
            a link to one of these; or Windows does not allow the name.
    """
    check_windows_path(target)
    try:
        found = target.lstat().st_mode
        if stat.S_ISLNK(found):
            if _leads_to_descriptor(target):
                raise _not_a_regular_file(target, "leads to an open file descriptor")
            found = target.stat().st_mode
    except FileNotFoundError:  # also if a link has no target
        return
    except OSError as exc:
        if exc.errno == errno.ELOOP:  # treated like any other link
            return
        raise write_error(target, exc) from exc
    if not (stat.S_ISREG(found) or stat.S_ISDIR(found)):
        kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(found), "a device")
        raise _not_a_regular_file(
            target, f"{'leads to' if target.is_symlink() else 'is'} {kind}"
        )


def _not_a_regular_file(target: Path, fault: str) -> TargetError:
    return TargetError(
        f"{target} {fault}, not a regular file.",
        hint="Write to standard output instead: -o -",
    )


def _leads_to_descriptor(link: Path) -> bool:
    """
    Return whether a link ends at an open descriptor, such as /dev/stdout.

    It does not matter what the descriptor is connected to.
    """
    try:
        for _ in range(_MAX_LINKS):
            folder = os.path.realpath(link.parent)
            if _DESCRIPTORS.fullmatch(folder):
                return True
            link = Path(folder, Path(folder, link.name).readlink())
    except (OSError, ValueError):  # not a link
        pass
    return False


def _remove_stale_files(folder: Path) -> None:
    """
    Delete temporary files that killed runs left here: at once those of this system,
    those of unknown origin after a day.
    """
    with suppress(OSError):
        for part in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
            if found := _PART.fullmatch(part.name):
                is_from_here = bool(found[1]) and found[1] == _system_id()
                seconds = _SETTLED_SECONDS if is_from_here else STALE_SECONDS
                with suppress(OSError):
                    _remove_if_stale(part, seconds)


@cache
def _system_id() -> str:
    """
    Return a mark of the running system; empty if it has none. Locks work between all
    its processes, also those in containers.
    """
    try:
        boot = _BOOT_ID.read_bytes()
    except OSError:
        return ""
    return hashlib.sha256(boot).hexdigest()[:6]


def _remove_if_stale(part: Path, seconds: float) -> None:
    found = part.lstat()
    is_stale = time.time() - found.st_mtime > seconds
    if not is_stale or not stat.S_ISREG(found.st_mode):
        return
    descriptor = os.open(part, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        # Windows has no such locks, but does not delete open files.
        is_free = try_lock(descriptor) or sys.platform == "win32"
    finally:
        os.close(descriptor)
    if is_free:
        part.unlink()


def _sync(descriptor: int) -> None:
    """
    Wait until the data is on disk. On macOS, `fsync` alone does not guarantee that.
    """
    if sys.platform == "darwin":
        import fcntl

        with suppress(OSError):  # network drives may not support this
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _open_new(path: Path, mode: int) -> BufferedRandom:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, mode), "w+b")


def _link(path: Path, target: Path, *, force: bool) -> None:
    if force:
        _replace(path, target)
        return
    try:
        os.link(path, target)
    except FileExistsError:
        raise target_exists_error(target) from None
    except OSError:
        _rename_without_links(path, target)


def _replace(path: Path, target: Path) -> None:
    """
    Replace the target.

    On Windows this fails while another program, such as a virus scanner, has it open.
    That is usually a matter of moments, so try again.
    """
    for seconds in _OPEN_ELSEWHERE_SECONDS:
        try:
            path.replace(target)
        except PermissionError:
            time.sleep(seconds)
        else:
            return
    path.replace(target)


def _rename_without_links(path: Path, target: Path) -> None:
    try:
        rename_noreplace(path, target)
    except FileExistsError:
        raise target_exists_error(target) from None
    except (OSError, NotImplementedError):
        _publish_with_placeholder(path, target)


def _publish_with_placeholder(path: Path, target: Path) -> None:
    """
    Reserve the name with an empty file, and then replace that.

    This is the last resort: if the run is killed in between, the empty file stays.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        raise target_exists_error(target) from None
    try:
        _replace(path, target)
    except BaseException:
        target.unlink()
        raise
