"""
What was paid for, on disk: one record for each paid request, in SQLite.

A record is committed before its request leaves, and its job id right after the answer,
so that no crash loses a job that costs money (hazard B2).  The only module that imports
sqlite3.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from krea_cli.api.resources import Job, SavedFile
from krea_cli.errors import JournalError

VERSION = 1
BUSY_SECONDS = 10.0
UPLOAD_SECONDS = 24 * 3600
_SCHEMA = """
CREATE TABLE records (
  record TEXT PRIMARY KEY,
  run TEXT NOT NULL,
  service TEXT NOT NULL,
  created_at REAL NOT NULL,
  model TEXT NOT NULL,
  seed INTEGER,
  cost_usd REAL,
  state TEXT NOT NULL,
  job_id TEXT,
  files TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX records_by_job ON records (job_id);
CREATE INDEX records_by_time ON records (service, created_at);
CREATE TABLE uploads (
  service TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  url TEXT NOT NULL,
  uploaded_at REAL NOT NULL,
  PRIMARY KEY (service, sha256)
);
"""


class Journal:
    """
    The records of one *service*: an origin, or the sandbox.  Opened on first use; what
    only reads does not create it.

    Every method raises JournalError when the file cannot be used, except `described`
    and `ended`.
    """

    def __init__(self, folder: Path, service: str) -> None:
        self._folder = folder
        self._path = folder / "journal.db"
        self._service = service
        self._opened: sqlite3.Connection | None = None

    def check(self) -> None:
        """
        Find out before anything is sent whether a record could be kept (hazard J4).
        """
        with self._writing() as db:
            db.execute("UPDATE records SET state = state WHERE 0")

    def begin(
        self, run: str, model: str, seed: int | None, cost_usd: float | None
    ) -> str:
        """
        Record that a paid request is about to leave; the id of the record.
        """
        record = str(uuid.uuid4())
        with self._writing() as db:
            db.execute(
                "INSERT INTO records (record, run, service, created_at, model, seed,"
                " cost_usd, state) VALUES (?, ?, ?, ?, ?, ?, ?, 'intended')",
                (record, run, self._service, _now(), model, seed, cost_usd),
            )
        return record

    def accepted(self, record: str, job_id: str) -> None:
        with self._writing() as db:
            db.execute(
                "UPDATE records SET state = 'submitted', job_id = ? WHERE record = ?",
                (job_id, record),
            )

    def refused(self, record: str) -> None:
        """
        Nothing was paid for, so nothing is kept.
        """
        with self._writing() as db:
            db.execute("DELETE FROM records WHERE record = ?", (record,))

    def unknown(self, record: str) -> None:
        """
        The request left and its answer did not come: the record stays as a warning.
        """
        with self._writing() as db:
            db.execute(
                "UPDATE records SET state = 'unknown' WHERE record = ?", (record,)
            )

    def ended(self, job: Job) -> None:
        """
        Keep how a job ended, and its files.  A job without a record is passed over; an
        unusable journal keeps nothing: the result counts for more.

        A URL is kept without its query, which may be a signature (hazard J11).
        """
        kept = [replace(file, url=file.url.partition("?")[0]) for file in job.files]
        files = json.dumps([asdict(file) for file in kept])
        with suppress(JournalError), self._writing() as db:
            db.execute(
                "UPDATE records SET state = ?, files = CASE ? WHEN '[]' THEN files"
                " ELSE ? END WHERE service = ? AND job_id = ?",
                (job.status, files, files, self._service, job.job_id),
            )

    def last(self) -> list[str]:
        """
        The jobs of the last run that has any, in the order of submission.
        """
        return self._column(
            "SELECT job_id FROM records WHERE job_id IS NOT NULL AND run ="
            " (SELECT run FROM records WHERE service = ? AND job_id IS NOT NULL"
            " ORDER BY rowid DESC LIMIT 1) ORDER BY rowid",
            self._service,
        )

    def has_others(self) -> bool:
        """
        Whether there are jobs of another service.
        """
        query = "SELECT job_id FROM records WHERE service <> ? AND job_id IS NOT NULL"
        return self._row(f"{query} LIMIT 1", self._service) is not None

    def matching(self, beginning: str) -> list[str]:
        """
        The job ids that start so.
        """
        return self._column(
            "SELECT job_id FROM records WHERE service = ?"
            " AND substr(job_id, 1, ?) = ? ORDER BY rowid",
            self._service,
            len(beginning),
            beginning,
        )

    def described(self, job: Job) -> Job:
        """
        The job with what only the journal knows: model, seed and saved files.  An
        unusable journal adds nothing: to look at a job must always be possible.
        """
        try:
            row = self._row(
                "SELECT model, seed, cost_usd, files FROM records"
                " WHERE service = ? AND job_id = ?",
                self._service,
                job.job_id,
            )
            if row is None:
                return job
            files = tuple(SavedFile(**file) for file in json.loads(row[3]))
        except (JournalError, ValueError, TypeError):
            return job
        model, seed, cost_usd, _ = row
        return replace(
            job, model=model, seed=seed, cost_usd=cost_usd, files=job.files or files
        )

    def upload(self, sha256: str) -> str | None:
        """
        The URL of a file uploaded within the last day.
        """
        row = self._row(
            "SELECT url FROM uploads WHERE service = ? AND sha256 = ?"
            " AND uploaded_at > ?",
            self._service,
            sha256,
            _now() - UPLOAD_SECONDS,
        )
        return str(row[0]) if row else None

    def remember_upload(self, sha256: str, url: str) -> None:
        """
        A URL with a query is not kept: it may be signed (hazard J11).
        """
        if "?" in url:
            return
        with self._writing() as db:
            db.execute(
                "DELETE FROM uploads WHERE uploaded_at < ?", (_now() - UPLOAD_SECONDS,)
            )
            db.execute(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)",
                (self._service, sha256, url, _now()),
            )

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _column(self, query: str, *values: object) -> list[str]:
        with self._reporting():
            if not self._path.exists():
                return []
            return [str(row[0]) for row in self._db().execute(query, values)]

    def _row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        with self._reporting():
            if not self._path.exists():
                return None
            row: tuple[Any, ...] | None = self._db().execute(query, values).fetchone()
            return row

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reporting():
            db = self._db()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                # A full disk has already rolled it back.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            raise JournalError(
                f"The journal {self._path} cannot be used: {exc}.",
                hint="Name another folder for it: KREA_STATE_DIR=DIR",
            ) from exc

    def _db(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = _open(self._folder, self._path)
        return self._opened


def _open(folder: Path, path: Path) -> sqlite3.Connection:
    """
    The database, private to the user (hazard J5), durable to the last commit (J1).
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        _prepare(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    _enter_wal(db)
    db.execute("PRAGMA synchronous = FULL")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 0:
        _create(db)
    elif version != VERSION:
        raise JournalError(
            f"The journal {path} is of a newer krea (version {version}).",
            hint="Use that krea, or name another folder: KREA_STATE_DIR=DIR",
        )


def _enter_wal(db: sqlite3.Connection) -> None:
    # For this lock SQLite does not wait by itself, as two that do may wait for ever.
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            is_busy = exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _create(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    # Another process may have been here between the look and the lock.
    if db.execute("PRAGMA user_version").fetchone() == (0,):
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def _now() -> float:
    return time.time()
