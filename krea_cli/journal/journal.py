"""
What was paid for, on disk: one record for each paid request.

A record is committed before its request leaves, and its job id right after the answer,
so that no crash loses a job that costs money (hazard B2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from krea_cli.api.models import Job, SavedFile, is_job_id
from krea_cli.errors import DuplicateJobIdError, JournalError
from krea_cli.journal.database import Database
from krea_cli.journal.record import (
    COLUMNS,
    LAST_CHARACTER,
    PLACES,
    Record,
    files_as_text,
    files_from_text,
)
from krea_cli.journal.rows import check

if TYPE_CHECKING:
    from sqlite3 import Connection

# Counted in records and not in days: a clock that is wrong for a moment must not delete
# what was paid for.
KEPT_RECORDS = 100_000
# A few with each new record, so that none has to wait for all.
PRUNED_AT_ONCE = 20
_PRUNABLE = """
SELECT number, service, job_id, key, files FROM records
WHERE number <= (SELECT max(number) FROM records) - ? AND job_id IS NOT NULL
  AND +state IN ('completed', 'failed', 'cancelled') ORDER BY number LIMIT ?
"""
_NEWEST = "SELECT created_at FROM records ORDER BY number DESC LIMIT 1"
# A clock that is so far from the newest record may be wrong, and then so may be
# everything else that this machine says; there is no hurry to delete anything.
_MOST_BACK_SECONDS, _MOST_AHEAD_SECONDS = 24 * 3600.0, 366 * 24 * 3600.0

# What only the journal knows of a job.
_KNOWN = ("model", "seed", "cost_usd", "files")
_INSERT = f"INSERT INTO records ({COLUMNS}) VALUES ({PLACES})"  # noqa: S608  (names)


class Journal:
    """
    The records of one *service*: an origin, or the sandbox.

    Every method raises JournalError when the journal cannot be used, except `described`
    and `ended`.
    """

    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self._service = service

    def check(self) -> None:
        """
        Find out before anything is sent whether a record could be kept (hazard J4).
        """
        self._database.check()

    def begin(self, record: Record) -> None:
        """
        Commit that the request is about to leave.  Of the records before the newest
        100,000, those that are finished are pruned (hazard J9).
        """
        row = record.as_row()
        with self._database.writing() as db:
            _prune(db, now=self._database.now())
            db.execute(_INSERT, row)

    def accepted(self, record: str, job_id: str) -> None:
        """
        Commit the id of its job.

        Raises:
            JobTakenError: the job is another record's; this one is in doubt now.
            JournalError: the record is gone, or has another job.
        """
        if self._is_of_another(job_id, record):
            self.unknown(record)
            raise DuplicateJobIdError(
                f"The service gave this request job {job_id}, which another has: it is "
                "unknown whether there is one more job, and it may be billed."
            )
        with self._database.writing() as db:
            changed = db.execute(
                "UPDATE records SET state = 'submitted', job_id = ?,"
                " known_by = (SELECT max(number) FROM records)"
                " WHERE record = ? AND job_id IS NULL",
                (job_id, record),
            )
            if changed.rowcount == 0:
                raise JournalError(f"The journal has no open record {record}.")

    def _is_of_another(self, job_id: str, record: str) -> bool:
        return bool(
            self._database.rows(
                "SELECT 1 FROM records"
                " WHERE service = ? AND job_id = ? AND record <> ?"
                " UNION SELECT 1 FROM pruned WHERE service = ? AND job_id = ?",
                *(self._service, job_id, record, self._service, job_id),
            )
        )

    def refused(self, record: str) -> None:
        """
        Nothing was paid for, so nothing is kept.
        """
        with self._database.writing() as db:
            db.execute(
                "DELETE FROM records WHERE record = ? AND job_id IS NULL", (record,)
            )

    def unknown(self, record: str) -> None:
        """
        The request left and its answer did not come: the record stays as a warning.
        """
        with self._database.writing() as db:
            db.execute(
                "UPDATE records SET state = 'unknown'"
                " WHERE record = ? AND job_id IS NULL",
                (record,),
            )

    def ended(self, job: Job, *, files: Sequence[SavedFile] = ()) -> None:
        """
        Keep how a job ended, and the *files* that it became just now, if there are any.
        A job without a record is passed over; an unusable journal keeps nothing: the
        result counts for more.
        """
        kept = files_as_text(files)
        with suppress(JournalError), self._database.writing() as db:
            db.execute(
                "UPDATE records SET state = ?, seconds = coalesce(?, seconds),"
                " files = CASE ? WHEN '[]' THEN files ELSE ? END"
                " WHERE service = ? AND job_id = ?",
                (job.status, job.took, kept, kept, self._service, job.job_id),
            )

    def described(self, job: Job) -> Job:
        """
        The job with what only the journal knows: model, seed, price and saved files.
        An unusable journal adds nothing: to look at a job must always be possible.
        """
        try:
            rows = self._database.rows(
                f"SELECT {', '.join(_KNOWN)} FROM records"  # noqa: S608  (names)
                " WHERE service = ? AND job_id = ?",
                self._service,
                job.job_id,
            )
            if not rows:
                return job
            known = dict(zip(_KNOWN, rows[0], strict=True))
            check(known)
        except (JournalError, ValueError):
            return job
        known["files"] = job.files or files_from_text(known["files"])
        return replace(job, **known)

    def body(self, job_id: str) -> Mapping[str, Any]:
        """
        What the request asked for that made the job, as far as it was kept; empty when
        nothing is known of it.
        """
        with suppress(JournalError, ValueError, TypeError, KeyError):
            rows = self._database.rows(
                "SELECT request FROM records WHERE service = ? AND job_id = ?",
                self._service,
                job_id,
            )
            for (request,) in rows:
                return dict(json.loads(request)["body"])
        return {}

    def last(self) -> list[str]:
        """
        The jobs of the last run, in the order of submission; none when it has only
        requests whose answer did not come.
        """
        return self._jobs(
            "SELECT job_id FROM records WHERE job_id IS NOT NULL AND run ="
            " (SELECT run FROM records WHERE service = ?"
            " ORDER BY number DESC LIMIT 1) ORDER BY number",
            self._service,
        )

    def places(self, run: str) -> list[str | None]:
        """
        The jobs of a run, in the order of their records, which is that of `last`; None
        for a request that has none so far.
        """
        rows = self._database.rows(
            "SELECT job_id FROM records WHERE run = ? ORDER BY number", run
        )
        return [job_id for (job_id,) in rows]

    def is_last_open(self) -> bool:
        """
        Whether the last request has no answer yet.
        """
        found = self._database.rows(
            "SELECT state FROM records WHERE service = ? ORDER BY number DESC LIMIT 1",
            self._service,
        )
        return bool(found) and found[0][0] in ("intended", "unknown")

    def has_others(self) -> bool:
        """
        Whether there are jobs of another service.
        """
        return bool(
            self._jobs(
                "SELECT job_id FROM records"
                " WHERE (service < ? OR service > ?) AND +job_id IS NOT NULL LIMIT 1",
                *(self._service, self._service),
            )
        )

    def matching(self, beginning: str) -> list[str]:
        """
        The job ids that start so.
        """
        return self._jobs(
            "SELECT job_id FROM records WHERE service = ?"
            " AND job_id BETWEEN ? AND ? ORDER BY number",
            *(self._service, beginning, beginning + LAST_CHARACTER),
        )

    def _jobs(self, query: str, *values: object) -> list[str]:
        rows = self._database.rows(query, *values)
        return [job for (job,) in rows if isinstance(job, str) and is_job_id(job)]


def _prune(db: Connection, *, now: float) -> None:
    """
    Delete old finished records; what identifies their jobs and files stays for good.
    """
    newest = db.execute(_NEWEST).fetchone()
    if newest is None or not _is_plausible(now, newest[0]):
        return
    found = db.execute(_PRUNABLE, (KEPT_RECORDS, PRUNED_AT_ONCE)).fetchall()
    for number, service, job_id, key, files in found:
        try:
            check({"job_id": job_id, "files": files})
        except ValueError:
            # A record that cannot be read stays until the user deletes it.
            continue
        hashes = json.dumps([file.sha256 for file in files_from_text(files)])
        db.execute(
            "INSERT OR IGNORE INTO pruned (service, job_id, key, file_sha256s)"
            " VALUES (?, ?, ?, ?)",
            (service, job_id, key, hashes),
        )
        db.execute("DELETE FROM records WHERE number = ?", (number,))


def _is_plausible(now: float, newest: object) -> bool:
    if not isinstance(newest, float):
        return False
    return -_MOST_BACK_SECONDS <= now - newest <= _MOST_AHEAD_SECONDS
