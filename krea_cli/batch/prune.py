"""
Delete results that belong to no item any more.

Only regular files below the folder of the manifest are deleted, and only if they are
unchanged since they were saved. Links are not followed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from krea_cli.batch.journal_lines import time_text
from krea_cli.batch.lock import Lock, LockedFile, LockLine
from krea_cli.batch.output_names import folded
from krea_cli.batch.plan import Plan

_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
# Reason for keeping a file that still belongs to an item.
OF_ANOTHER = "another item has it"
# Errors of opening a link with O_DIRECTORY and O_NOFOLLOW.
_LINKED = {errno.ELOOP, errno.ENOTDIR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prunable:
    """
    A file of an orphan. `fault` is the reason for keeping it, or None if it can be
    deleted.
    """

    file: LockedFile
    fault: str | None = None


def unused_files(plan: Plan, lock: Lock, folder: Path) -> list[Prunable]:
    """
    Return the existing files of the plan's orphans. Files that also belong to another
    line or an item have a `fault`.
    """
    orphans = set(map(id, plan.orphans))
    rest = [line for line in lock.lines if id(line) not in orphans]
    wanted = {file.path for line in (*rest, *lock.others) for file in line.files}
    wanted |= {step.output for step in plan.steps}
    return prunable_files(plan.orphans, folder, wanted=wanted)


def with_deletable(
    orphans: Iterable[LockLine], found: Iterable[Prunable]
) -> tuple[LockLine, ...]:
    """
    Return the orphans with at least one deletable file.
    """
    paths = {each.file.path for each in found if each.fault is None}
    return tuple(
        line for line in orphans if any(file.path in paths for file in line.files)
    )


class _KeptError(Exception):
    """
    The file must be kept. The message is the reason.
    """


def prunable_files(
    orphans: Iterable[LockLine], folder: Path, *, wanted: Collection[str]
) -> list[Prunable]:
    """
    Return the existing files of orphans, sorted by path. Files in `wanted` belong to
    other lines, and have a `fault`.
    """
    kept = {folded(path) for path in wanted}
    found: dict[str, Prunable] = {}
    for line in orphans:
        for file in line.files:
            if not os.path.lexists(folder / file.path):
                continue
            fault = OF_ANOTHER if folded(file.path) in kept else None
            if fault is None:
                try:
                    with _checked(file, folder):
                        pass
                except _KeptError as exc:
                    fault = str(exc)
            other = found.get(file.path)
            # Lines may have different hashes of a file. One match is enough.
            if other is None or other.fault is not None:
                found[file.path] = Prunable(file=file, fault=fault)
    return [found[path] for path in sorted(found)]


def delete(file: LockedFile, folder: Path) -> str | None:
    """
    Check a file again, and delete it. Return why it was not deleted, or None if it was.
    """
    try:
        with _checked(file, folder) as (parent, name):
            if parent is None:
                (folder / file.path).unlink()
            else:
                os.unlink(name, dir_fd=parent)
    except _KeptError as exc:
        return str(exc)
    except OSError as exc:
        return exc.strerror or str(exc)
    return None


def without_files(line: LockLine, at: str) -> LockLine:
    """
    Return the line of an orphan without its deleted files. The line stays in the lock,
    because it records a payment.

    The new line is always later than the old one, even if the old one was written in
    the same second or by a clock that is ahead. The later line replaces the earlier
    one.
    """
    return replace(line, files=(), at=max(at, _second_after(line.at)))


def _second_after(at: str) -> str:
    try:
        return time_text(datetime.fromisoformat(at).timestamp() + 1)
    except (ValueError, OverflowError, OSError):
        return at


@contextmanager
def _checked(file: LockedFile, folder: Path) -> Iterator[tuple[int | None, str]]:
    """
    Open the folder of a file that may be deleted. Yield the folder's descriptor (None
    on Windows) and the file's name.

    Raises:
        _KeptError: the file must be kept.
    """
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise _KeptError("it is outside of the folder")
    if os.open not in os.supports_dir_fd:  # Windows
        _check_plainly(file, folder, path)
        yield None, path.name
        return
    opened: list[int] = []
    try:
        opened.append(os.open(folder, os.O_RDONLY | _DIRECTORY))
        for part in path.parts[:-1]:
            flags = os.O_RDONLY | _DIRECTORY | _NOFOLLOW
            opened.append(os.open(part, flags, dir_fd=opened[-1]))
        found = os.stat(path.name, dir_fd=opened[-1], follow_symlinks=False)
        _check_regular(found.st_mode)
        flags = os.O_RDONLY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0)
        content = os.open(path.name, flags, dir_fd=opened[-1])
        opened.append(content)
        _check_content(content, file)
        yield opened[-2], path.name
    except OSError as exc:
        raise _KeptError(
            "a link leads to it" if exc.errno in _LINKED else exc.strerror or str(exc)
        ) from exc
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _check_plainly(file: LockedFile, folder: Path, path: PurePosixPath) -> None:
    place = folder
    for part in path.parts:
        place /= part
        if place.is_symlink():
            raise _KeptError("a link leads to it")
    _check_regular(place.lstat().st_mode)
    with place.open("rb") as opened:
        _check_content(opened.fileno(), file)


def _check_regular(mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise _KeptError("it is a link")
    if not stat.S_ISREG(mode):
        raise _KeptError("it is not a regular file")


def _check_content(descriptor: int, file: LockedFile) -> None:
    with os.fdopen(os.dup(descriptor), "rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != file.sha256:
        raise _KeptError("it has changed since it was saved")
