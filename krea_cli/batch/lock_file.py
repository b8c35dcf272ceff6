"""
Read and write the file of a lock: append to it during a run, and replace it at the end.

Several processes may write to it. Each append and each replacement holds the `flock` of
the file, which the kernel releases when a process dies. A signal ends the wait for it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from krea_cli.batch.lock import (
    LockLine,
    LockSyntaxError,
    NewerLockError,
    merged,
    parse_lines,
)
from krea_cli.batch.problems import Position
from krea_cli.batch.shown_path import shown_path
from krea_cli.errors import StorageError, TargetError, UsageError
from krea_cli.files.atomic_file import AtomicFile
from krea_cli.files.regular_file import NONBLOCK, check_regular, read_regular
from krea_cli.runtime import signals

if sys.platform != "win32":  # on Windows, only the journal keeps two runs apart
    import fcntl

# A real lock is smaller. A larger file was named by mistake.
MAX_BYTES = 256 * 2**20
# Pauses between attempts to lock the file: the first one, and the longest one.
_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.001, 0.05
# If waiting takes longer than this, a note tells the user why.
NOTICE_SECONDS = 3.0


class LockFile:
    """
    The lock at `path`.

    With `keeps_prompts=False`, hashes of prompts are written instead of prompts. `note`
    shows a note to the user.
    """

    def __init__(
        self,
        path: Path,
        *,
        keeps_prompts: bool = True,
        note: Callable[[str], object] = lambda _: None,
    ) -> None:
        # Messages show the path as given. Replacing the resolved path keeps a link.
        self.shown = shown_path(path)
        self.path = Path(os.path.realpath(path))
        self._keeps_prompts = keeps_prompts
        self._note = note
        # Threads of this process take turns here, so only one of them polls `flock`.
        self._turn = threading.Lock()
        self._is_noted = False

    def read(self) -> list[LockLine]:
        """
        Return all lines, or an empty list if the file does not exist.

        An incomplete last line is left out: the journal has its job.

        Raises:
            UsageError: the file is damaged, or was written by a newer krea.
            StorageError: the file cannot be read, or is larger than `MAX_BYTES`.
        """
        try:
            data = read_regular(self.path, MAX_BYTES)
        except FileNotFoundError:
            return []
        except OSError as exc:
            reason = exc.strerror or exc
            raise StorageError(f"Cannot read {self.shown}: {reason}.") from exc
        return self._parsed(self._limited(data))

    def append(self, lines: Iterable[LockLine]) -> None:
        """
        Add lines at the end: all of them, or none if writing fails.

        Raises:
            StorageError: the lines cannot be written.
        """
        data = self._encoded(lines)
        with self._locked() as file:
            _mend_end(file)
            end = os.fstat(file).st_size
            try:
                _write(file, data)
            except OSError:
                # An incomplete line would become damage when another line follows.
                os.ftruncate(file, end)
                raise

    def replace(self, lines: Iterable[LockLine] = ()) -> None:
        """
        Add lines, sort the file, and remove lines that newer lines replace.

        Lines that other processes have appended are kept.

        Raises:
            UsageError: as `read`.
            StorageError: as `read` and `append`.
        """
        with self._locked() as file:
            data = self._limited(_read(file))
            kept = self._encoded(merged([*self._parsed(data), *self._bare(lines)]))
            if kept == data:
                return
            mode = os.fstat(file).st_mode & 0o777
            try:
                with AtomicFile(self.path.parent, mode=mode) as new:
                    new.write(kept)
                    new.publish(self.path, force=True)
            except TargetError as exc:
                # The hint of a TargetError is about results, so leave it out.
                cause = exc.__cause__
                if isinstance(cause, OSError):
                    raise self._not_written(cause) from exc
                raise StorageError(exc.message) from exc

    @contextmanager
    def hold(self, *, alone: bool) -> Iterator[None]:
        """
        Lock the folder while a batch is planned and run within this block.

        With `alone=True`, no other process can run a batch in this folder meanwhile.
        A run without a journal needs that: otherwise, two processes could pay for the
        same request. On Windows, nothing is locked.
        """
        # The lock file itself may not exist yet.
        folder = self.path.parent
        while not folder.is_dir():
            folder = folder.parent
        if sys.platform != "win32":
            file = os.open(folder, os.O_RDONLY)
            try:
                kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
                self._wait(partial(_try_flock, file, kind=kind))
                yield
            finally:
                os.close(file)
        else:
            yield

    def _not_written(self, exc: OSError) -> StorageError:
        return StorageError(f"Cannot write {self.shown}: {exc.strerror or exc}.")

    def _limited(self, data: bytes) -> bytes:
        if len(data) > MAX_BYTES:
            raise StorageError(f"{self.shown} is larger than {MAX_BYTES // 2**20} MiB.")
        return data

    def _parsed(self, data: bytes) -> list[LockLine]:
        whole, end, cut = data.rpartition(b"\n")
        if cut and not _is_whole(cut):
            data = whole + end
        try:
            text = data.decode("utf-8-sig")
            return [line for _, line in parse_lines(text)]
        except UnicodeDecodeError as exc:
            number = data.count(b"\n", 0, exc.start) + 1
            raise self._damaged(number, "it is not UTF-8 text") from exc
        except LockSyntaxError as exc:
            if isinstance(exc.reason, NewerLockError):
                raise UsageError(
                    f"{self.shown} was written by a newer krea.",
                    hint="Update krea.",
                ) from exc
            if exc.is_conflict:
                raise UsageError(
                    f"{Position(self.shown, exc.number)}: git could not merge it.",
                    hint="Delete the lines that begin with <<<<<<<, ======= and "
                    ">>>>>>>; all other lines can stay, in any order.",
                ) from exc
            is_json = not isinstance(exc.reason, json.JSONDecodeError)
            reason = str(exc.reason) if is_json else "it is not JSON"
            raise self._damaged(exc.number, reason) from exc

    def _damaged(self, number: int, reason: str) -> UsageError:
        return UsageError(
            f"{Position(self.shown, number)} is damaged: {reason}.",
            hint="Restore the file, for example from git, or name another with --lock.",
        )

    def _bare(self, lines: Iterable[LockLine]) -> Iterator[LockLine]:
        for line in lines:
            yield line if self._keeps_prompts else line.without_prompts()

    def _encoded(self, lines: Iterable[LockLine]) -> bytes:
        return "".join(f"{line.text}\n" for line in self._bare(lines)).encode(
            "utf-8", "backslashreplace"
        )

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """
        Open and lock the file, and yield its descriptor.

        If another process replaces the file before it is locked, open the new one.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | NONBLOCK
        flags |= getattr(os, "O_BINARY", 0)
        self._wait(lambda seconds: self._turn.acquire(timeout=seconds))
        try:
            while True:
                file = os.open(self.path, flags, 0o666)
                try:
                    check_regular(file)
                    self._wait(partial(_try_flock, file))
                    if _is_at(file, self.path):
                        yield file
                        return
                finally:
                    os.close(file)
        except OSError as exc:
            raise self._not_written(exc) from exc
        finally:
            self._turn.release()

    def _wait(self, try_lock: Callable[[float], bool]) -> None:
        """
        Call `try_lock` with the seconds that it may take, until it returns true.

        Raises:
            Interrupted: a signal arrived, and this thread does not defer it.
            StorageError: a signal arrived, and the time for deferred work is over.
        """
        since, pause = time.monotonic(), _PAUSE_SECONDS
        while not try_lock(pause):
            signals.raise_if_interrupted()
            if signals.seconds_since() > signals.CLEANUP_SECONDS:
                raise StorageError(f"Another process uses {self.shown}.")
            if time.monotonic() - since > NOTICE_SECONDS and not self._is_noted:
                self._is_noted = True
                self._note(f"Another process uses {self.shown}; waiting for it.")
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)


def _try_flock(file: int, seconds: float, *, kind: int | None = None) -> bool:
    """
    Lock an open file, by default exclusively, and return whether that succeeded.

    If another process has the lock, sleep for `seconds` and return false. If the file
    system has no locks, return true.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(file, (kind or fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(seconds)
            return False
        except OSError:  # a file system without locks
            pass
    return True


def _is_at(file: int, path: Path) -> bool:
    """
    Return whether `path` still names the open file. It may have been replaced.
    """
    opened = os.fstat(file)
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return (opened.st_dev, opened.st_ino) == (found.st_dev, found.st_ino)


def _mend_end(file: int) -> None:
    """
    Complete the last line, or remove it if a process died while writing it.
    """
    size = os.lseek(file, 0, os.SEEK_END)
    if not size:
        return
    os.lseek(file, -1, os.SEEK_END)
    if os.read(file, 1) == b"\n":
        return
    whole, end, cut = _read(file).rpartition(b"\n")
    if _is_whole(cut):
        _write(file, b"\n")
    else:
        os.ftruncate(file, len(whole) + len(end))


def _is_whole(line: bytes) -> bool:
    try:
        list(parse_lines(line.decode("utf-8-sig")))
    except (UnicodeDecodeError, LockSyntaxError) as exc:
        # Keep conflict markers and lines of a newer krea: no crash caused them.
        reason = exc.reason if isinstance(exc, LockSyntaxError) else None
        return isinstance(reason, NewerLockError) or not line.startswith(b"{")
    return True


def _read(file: int) -> bytes:
    """
    Return the content of the file, up to slightly more than `MAX_BYTES`.
    """
    os.lseek(file, 0, os.SEEK_SET)
    chunks, left = [], MAX_BYTES
    while left >= 0 and (chunk := os.read(file, 1 << 20)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
