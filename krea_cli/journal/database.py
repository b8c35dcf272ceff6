"""
Open and create the journal file. The only module that imports sqlite3.

The file is private to the user, durable up to the last commit, and can be used by
several processes and threads at once. An unreadable journal is never replaced.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from krea_cli.errors import Action, JournalError, Step
from krea_cli.files.private_dir import make_private_dir
from krea_cli.journal.locks import has_locks
from krea_cli.journal.sql_schema import (
    INDEXES,
    PAGE_BYTES,
    SCHEMA,
    SETTINGS,
    TABLES,
    UPGRADE_FIRST,
    UPGRADE_SECOND,
    UPGRADE_THIRD,
    VERSION,
)
from krea_cli.runtime.os_reasons import reason_of
from krea_cli.runtime.signals import seconds_since

T = TypeVar("T")

# SQLite's own waiting ignores signals, so most of the waiting is done here. A process
# that holds the lock is alive; on a busy machine it just needs time.
MAX_BUSY_SECONDS, SQLITE_SECONDS, PAUSE_SECONDS = 60.0, 0.05, 0.01
# Maximum wait for a lock while a signal is deferred.
CLEANUP_SECONDS = 0.3
# Table layouts of earlier versions of krea.
OLD_VERSIONS = (1, 2, 3)
# Suffix of SQLite's write-ahead log.
LOG_SUFFIX = "-wal"
# SQLITE_PROTOCOL means that other processes repeatedly got the lock first.
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL}
# Errors of file systems that cannot lock files. "No locks available" is reported as
# busy.
_UNLOCKED = {*_BUSY, sqlite3.SQLITE_IOERR}
# SQLITE_ERROR means that a table or column is missing.
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


class Database:
    """
    The journal in `folder`. It is opened on first use; reading does not create it.

    Without a folder it is in memory only. With `read_only`, no file is changed or
    created, and methods fail at once if another program holds the lock. `now` is the
    wall clock.

    Raises:
        JournalError: from every method except `close`, if the file cannot be used.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        now: Callable[[], float] = time.time,
        read_only: bool = False,
    ) -> None:
        self.now = now
        self._is_read_only = read_only
        self._path = folder / "journal.db" if folder else None
        self._opened: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        # All threads share one connection: each write takes little time.
        self._lock = threading.RLock()

    def check(self) -> None:
        """
        Check that a record can be stored, before anything is sent.
        """
        with self.writing() as db:
            db.execute("UPDATE records SET state = state WHERE 0")
            for statement in INDEXES.split(";"):
                db.execute(statement)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """
        Run the block as one transaction: commit at its end, or roll back on errors.
        """
        with self._translate_errors():
            db = self._db()
            self._check_not_moved()
            try:
                self._retry_while_busy(lambda: db.execute("BEGIN IMMEDIATE"))
                yield db
                self._retry_while_busy(lambda: db.execute("COMMIT"))
            except BaseException:
                # SQLite has already rolled back if the disk is full.
                if db.in_transaction:
                    with suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """
        Return the rows of a query. A missing journal has none.
        """
        with self._translate_errors():
            if self._opened is None and self._is_missing():
                return []
            db = self._db()
            return self._retry_while_busy(lambda: db.execute(query, values).fetchall())

    def erase(self) -> None:
        """
        Erase deleted data from the file and its log.
        """
        with self._translate_errors():
            db = self._db()
            # secure_delete misses copies that SQLite leaves when it moves rows.
            self._retry_while_busy(lambda: db.execute("VACUUM"))
            self._retry_while_busy(lambda: _empty_log(db))

    def corrupt_error(self, reason: str) -> JournalError:
        """
        Return the error for a journal with content that krea did not write.
        """
        exists = {"": Path(f"{self._path}").exists(), LOG_SUFFIX: self._has_log()}
        moves = [
            shlex.join(["mv", f"{self._path}{end}", f"{self._path}.broken{end}"])
            for end in exists
            if exists[end]
        ]
        repair_hint = (
            "It records what you paid for. To start a new one, move it away: "
            f"{' && '.join(moves)}"
        )
        return JournalError(
            f"The journal file {self._path} is damaged: {reason}.",
            hint=(repair_hint, Step(Action.LIST_REMOTE)),
        )

    def close(self) -> None:
        # An abandoned thread must not block the end of the program.
        if self._lock.acquire(timeout=CLEANUP_SECONDS):
            if self._opened is not None:
                self._opened.close()
                self._opened = None
            self._lock.release()

    def _retry_while_busy(self, step: Callable[[], T]) -> T:
        if self._is_read_only:
            return step()
        return _retry_while_busy(step, self._path.parent if self._path else None)

    def _db(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = self._open()
            self._identity = _identity(self._path) if self._path else None
        return self._opened

    def _open(self) -> sqlite3.Connection:
        if self._path and self._is_missing():
            _create(self._path)
        size = self._path.stat().st_size if self._path else PAGE_BYTES
        # SQLite would treat an empty file as a new journal and drop its log, and would
        # fill a truncated last page with zeros.
        if size == 0 or size % PAGE_BYTES:
            raise self.corrupt_error(f"it ends after {size} bytes")
        db = self._connect()
        try:
            if self._path is None:
                db.executescript(SCHEMA)
            if self._is_read_only and _version(db) in OLD_VERSIONS:
                # In read-only mode, only a copy can be upgraded.
                db = _copy_to_memory(db)
            self._check_version(db)
            self._retry_while_busy(lambda: db.executescript(SETTINGS))
        except BaseException:
            db.close()
            raise
        return db

    def _connect(self) -> sqlite3.Connection:
        if self._path and self._is_read_only:
            return _connect_read_only(self._path)
        return _connect(self._path or ":memory:")

    def _check_not_moved(self) -> None:
        """
        Reject a journal that was moved or deleted: writes to it would be lost.
        """
        if self._path and _identity(self._path) != self._identity:
            raise JournalError(
                f"The journal file {self._path} was moved or deleted during this run.",
                hint="Put it back, then try again.",
            )

    def _is_missing(self) -> bool:
        has_log = self._has_log()
        if self._path is None or self._path.exists():
            return False
        if has_log:
            # Otherwise the log would be applied to a new journal, or be lost.
            raise self.corrupt_error("the main file is missing")
        return True

    def _has_log(self) -> bool:
        # The last program that closes the journal deletes the log, which may happen at
        # any time.
        with suppress(FileNotFoundError, NotADirectoryError):
            return Path(f"{self._path}{LOG_SUFFIX}").stat().st_size > 0
        return False

    def _check_version(self, db: sqlite3.Connection) -> None:
        """
        Reject files of other programs, and upgrade older layouts of krea.
        """
        version = self._retry_while_busy(lambda: _version(db))
        if version > VERSION:
            raise JournalError(
                f"The journal file {self._path} was written by a newer version "
                f"(format {version}).",
                hint="Upgrade krea-cli, or set KREA_STATE_DIR to another folder.",
            )
        if version in OLD_VERSIONS:
            version = _upgrade(db)
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        names = self._retry_while_busy(lambda: db.execute(query).fetchall())
        tables = {name for (name,) in names}
        if version != VERSION or not tables >= TABLES:
            raise self.corrupt_error("it is not a krea journal")

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError, UnicodeDecodeError) as exc:
            raise self._error(exc) from exc

    def _error(self, exc: Exception) -> JournalError:
        kind = _kind(exc)
        folder = self._path.parent if self._path else None
        if kind in _UNLOCKED and folder and not has_locks(folder):
            return JournalError(
                f"Cannot keep the journal in {folder}: its file system has no file "
                "locks.",
                hint="Set KREA_STATE_DIR to a folder on a local disk.",
            )
        if kind in _BUSY:
            return JournalError(
                f"Another program is using the journal file {self._path}.",
                hint="Try again when it has finished.",
            )
        # Text that is not UTF-8 is damaged, even if it is in SQLite's own error
        # message.
        if kind in _BROKEN or isinstance(exc, UnicodeDecodeError):
            return self.corrupt_error(str(exc))
        reason = reason_of(exc) if isinstance(exc, OSError) else exc
        return JournalError(
            f"Cannot use the journal file {self._path}: {reason}.",
            hint="Set KREA_STATE_DIR to another folder, or run without a journal: "
            "add --no-journal",
        )


def _upgrade(db: sqlite3.Connection) -> int:
    """
    Upgrade an older layout, and return the resulting version.
    """
    _retry_while_busy(lambda: db.execute("BEGIN IMMEDIATE"))
    try:
        # Another process may have upgraded it first, and newer versions of krea may
        # exist.
        version = _version(db)
        columns = db.execute("SELECT name FROM pragma_table_info('records')")
        names = {name for (name,) in columns}
        upgrade = ""
        if version == 1 and "run" in names and "request" not in names:
            upgrade = UPGRADE_FIRST
        elif version == 2 and "request_sha256" in names:
            upgrade = UPGRADE_SECOND
        elif version == 3 and "known_by" in names:
            upgrade = UPGRADE_THIRD
        for statement in upgrade.split(";"):
            db.execute(statement)
        version = _version(db)
        _retry_while_busy(lambda: db.execute("COMMIT"))
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return version


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


class _BusyError(sqlite3.OperationalError):
    sqlite_errorcode = sqlite3.SQLITE_BUSY


def _kind(exc: Exception) -> int:
    """
    Return the primary SQLite error code, or 0 for errors raised by Python.
    """
    return int(getattr(exc, "sqlite_errorcode", 0)) & 0xFF


def _retry_while_busy(step: Callable[[], T], folder: Path | None = None) -> T:
    """
    Repeat the step until no other process blocks it.

    If the file system of `folder` has no locks, waiting is useless: raise the error at
    once.
    """
    until = time.monotonic() + MAX_BUSY_SECONDS
    is_checked = folder is None
    while True:
        try:
            return step()
        except sqlite3.OperationalError as exc:
            if _kind(exc) not in _BUSY or time.monotonic() > until:
                raise
            if seconds_since() > CLEANUP_SECONDS:
                raise JournalError("The journal file was in use.") from exc
            if not is_checked and folder is not None and not has_locks(folder):
                raise
            is_checked = True
        time.sleep(PAUSE_SECONDS)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _connect(path: Path | str, *, is_uri: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(
        path,
        timeout=SQLITE_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        uri=is_uri,
    )
    # A single damaged text must not make other rows unreadable.
    db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    return db


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """
    Open the file and its log, if any, without changing any file.
    """
    # Without a log nobody is writing. Then SQLite must not create its own files next to
    # the journal, which a read-only connection would leave behind.
    has_log = any(Path(f"{path}{end}").exists() for end in (LOG_SUFFIX, "-journal"))
    mode = "mode=ro" if has_log else "immutable=1"
    return _connect(f"{path.as_uri()}?{mode}", is_uri=True)


def _copy_to_memory(db: sqlite3.Connection) -> sqlite3.Connection:
    """
    Copy the database to memory, and close the original connection.
    """
    copy = _connect(":memory:")
    try:
        with closing(db):
            db.backup(copy, progress=_check_free)
    except BaseException:
        copy.close()
        raise
    return copy


def _check_free(status: int, *_: int) -> None:
    """
    Abort a copy that would wait for a lock forever.
    """
    if status & 0xFF == sqlite3.SQLITE_BUSY:
        raise _BusyError("database is locked")


def _create(path: Path) -> None:
    """
    Create a complete journal in one step.

    An empty file is therefore known to have lost its content.
    """
    make_private_dir(path.parent)
    fresh = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        with closing(_connect(fresh)) as db:
            db.executescript(SETTINGS)
            # An unfinished file is discarded, so no rollback is needed.
            db.execute("PRAGMA journal_mode = MEMORY")
            db.executescript(SCHEMA)
            # If this is refused, the journal uses a rollback journal.
            db.execute("PRAGMA journal_mode = WAL")
        _publish(fresh, path)
    finally:
        for end in ("", LOG_SUFFIX, "-shm"):
            Path(f"{fresh}{end}").unlink(missing_ok=True)


def _publish(fresh: Path, path: Path) -> None:
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        # Another process created the journal first. Use that.
        return
    except OSError:
        # The file system does not support hard links.
        if not path.exists():
            fresh.rename(path)


def _empty_log(db: sqlite3.Connection) -> None:
    (is_busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise _BusyError("database is locked")
