"""
The file of a lock: read, appended to while a run goes on, and replaced at its end.

Any number of processes may write to it.  Each append and each replacement holds the
file's `flock`, which the kernel releases when a process dies.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from krea_cli.batch.lock import (
    LockLine,
    LockSyntaxError,
    NewerLockError,
    merged,
    parse_lines,
)
from krea_cli.batch.problems import Position
from krea_cli.errors import StorageError, UsageError
from krea_cli.files.atomic_file import AtomicFile, write_error

if sys.platform != "win32":  # where the journal keeps two runs at once apart
    import fcntl


class LockFile:
    """
    The lock at *path*.  Without *keeps_prompts* it has hashes instead of prompts.
    """

    def __init__(self, path: Path, *, keeps_prompts: bool = True) -> None:
        # A link stays one when the file is replaced.
        self.path = Path(os.path.realpath(path))
        self._keeps_prompts = keeps_prompts

    def read(self) -> list[LockLine]:
        """
        All lines; none if there is no file yet.  A last line that was cut off is left
        out: the journal knows its job.

        Raises:
            UsageError: the file is damaged, or of a newer krea.
            StorageError: it cannot be read.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as exc:
            reason = exc.strerror or exc
            raise StorageError(f"Cannot read {self.path.name}: {reason}.") from exc
        return self._parsed(data)

    def append(self, lines: Iterable[LockLine]) -> None:
        """
        Add lines at the end, whole and at once.

        Raises:
            StorageError: they cannot be written.
        """
        data = self._encoded(lines)
        with self._locked() as file:
            _mend_end(file)
            _write(file, data)

    def replace(self, lines: Iterable[LockLine] = ()) -> None:
        """
        Sort the file and leave out what no longer counts; with further *lines*.  What
        other processes appended meanwhile stays.

        Raises:
            UsageError, StorageError: as `read` and `append`.
        """
        with self._locked() as file:
            data = _read(file)
            kept = self._encoded(merged([*self._parsed(data), *self._bare(lines)]))
            if kept == data:
                return
            mode = os.fstat(file).st_mode & 0o777
            with AtomicFile(self.path.parent, mode=mode) as new:
                new.write(kept)
                new.publish(self.path, force=True)

    def _parsed(self, data: bytes) -> list[LockLine]:
        whole, end, cut = data.rpartition(b"\n")
        if cut and not _is_whole(cut):
            data = whole + end
        try:
            text = data.decode("utf-8-sig")
            return [line for _, line in parse_lines(text)]
        except UnicodeDecodeError as exc:
            number = data.count(b"\n", 0, exc.start) + 1
            raise self._damaged(number, "not UTF-8 text") from exc
        except LockSyntaxError as exc:
            if isinstance(exc.reason, NewerLockError):
                raise UsageError(
                    f"{self.path.name} was written by a newer krea.",
                    hint="Update krea.",
                ) from exc
            if exc.is_conflict:
                raise UsageError(
                    f"{Position(self.path.name, exc.number)}: git could not merge it.",
                    hint="Delete the lines that begin with <<<<<<<, ======= and "
                    ">>>>>>>; all other lines can stay, in any order.",
                ) from exc
            raise self._damaged(exc.number, str(exc.reason)) from exc

    def _damaged(self, number: int, reason: str) -> UsageError:
        return UsageError(
            f"{Position(self.path.name, number)}: not a line of a lock: {reason}.",
            hint="Restore the file, for example from git. Nothing was submitted.",
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
        The file, open and locked, and still the one that has the name.
        """
        try:
            while True:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
                try:
                    if sys.platform != "win32":
                        with suppress(OSError):  # a file system without locks
                            fcntl.flock(file, fcntl.LOCK_EX)
                    if _is_at(file, self.path):
                        yield file
                        return
                finally:
                    os.close(file)
        except OSError as exc:
            raise write_error(self.path, exc) from exc


def _is_at(file: int, path: Path) -> bool:
    """
    Tell whether the open file still has the name: it may have been replaced meanwhile.
    """
    opened = os.fstat(file)
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return (opened.st_dev, opened.st_ino) == (found.st_dev, found.st_ino)


def _mend_end(file: int) -> None:
    """
    Complete the last line, or remove it if a process died in the middle of writing it.
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
        # A conflict or a line of a newer krea is not the work of a crash.
        reason = exc.reason if isinstance(exc, LockSyntaxError) else None
        return isinstance(reason, NewerLockError) or not line.startswith(b"{")
    return True


def _read(file: int) -> bytes:
    os.lseek(file, 0, os.SEEK_SET)
    chunks = []
    while chunk := os.read(file, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
