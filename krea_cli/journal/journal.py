"""
Record each paid request on disk.

A record is committed before its request is sent, and its job id right after the
response. No crash can lose a job that costs money.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from krea_cli.api.models import Job, SavedFile, is_job_id
from krea_cli.errors import DuplicateJobIdError, JournalError
from krea_cli.journal.database import Database
from krea_cli.journal.record import (
    COLUMNS,
    LAST_CHARACTER,
    PLACEHOLDERS,
    Record,
    dump_files,
    load_files,
)
from krea_cli.journal.rows import check_columns
from krea_cli.journal.services import find_other_service

if TYPE_CHECKING:
    from sqlite3 import Connection

# The limit is a number of records, not an age: a clock that is wrong for a moment must
# not delete records of paid requests.
MAX_RECORDS = 100_000
# Delete a few with each new record, so that no command has to wait for all of them.
MAX_PRUNED_AT_ONCE = 20
_PRUNABLE = """
SELECT number, service, job_id, key, files FROM records
WHERE number <= (SELECT max(number) FROM records) - ? AND job_id IS NOT NULL
  AND +state IN ('completed', 'failed', 'cancelled') ORDER BY number LIMIT ?
"""
_NEWEST = "SELECT created_at FROM records ORDER BY number DESC LIMIT 1"
# If the clock differs from the newest record by more than this, it may be wrong. Then
# nothing is deleted, because that is not urgent.
_MAX_BACK_SECONDS, _MAX_AHEAD_SECONDS = 24 * 3600.0, 366 * 24 * 3600.0

# Columns for data about a job that the service does not send.
_JOB_COLUMNS = ("model", "seed", "cost_usd", "files")
INSERT = f"INSERT INTO records ({COLUMNS}, key) VALUES ({PLACEHOLDERS}, ?)"  # noqa: S608  (names)


class RunResult(NamedTuple):
    """
    A job of a run: its recorded state, the number of saved files, and their first
    index.
    """

    job_id: str
    state: str
    files: int
    first_index: int | None


class JobOutput(NamedTuple):
    """
    The run of a job, and the run's output options (None if it saves no results).
    """

    run: str
    output: Mapping[str, Any] | None


class Journal:
    """
    The records of one `service`: an API origin, or the sandbox.

    Every method except `with_journal_data` and `ended` raises JournalError if the
    journal cannot be used.
    """

    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self._service = service

    def check(self) -> None:
        """
        Check that a record can be stored, before anything is sent.
        """
        self._database.check()

    def begin(self, record: Record, *, key: str | None = None) -> None:
        """
        Commit the record of a request that is about to be sent. By its key, the same
        request is found later.

        Finished records older than the newest 100,000 are pruned.
        """
        row = (*record.as_row(), key)
        with self._database.writing() as db:
            prune(db, now=self._database.now())
            db.execute(INSERT, row)

    def accepted(self, record: str, job_id: str) -> None:
        """
        Commit the job id of the request.

        Raises:
            DuplicateJobIdError: the job belongs to another record. This one is now
                unconfirmed.
            JournalError: the record is missing, or has another job.
        """
        if self._belongs_to_another(job_id, record):
            self.unconfirmed(record)
            raise DuplicateJobIdError(
                f"Krea answered with job {job_id}, which belongs to an earlier "
                "request. Krea may have accepted the new request as another job; if "
                "so, you will be billed."
            )
        with self._database.writing() as db:
            changed = db.execute(
                "UPDATE records SET state = 'submitted', job_id = ?,"
                " known_by = (SELECT max(number) FROM records)"
                " WHERE record = ? AND job_id IS NULL",
                (job_id, record),
            )
            if changed.rowcount == 0:
                raise JournalError(f"Record {record} is missing from the journal.")

    def _belongs_to_another(self, job_id: str, record: str) -> bool:
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
        Delete the record of a rejected request: nothing is billed.
        """
        with self._database.writing() as db:
            db.execute(
                "DELETE FROM records WHERE record = ? AND job_id IS NULL", (record,)
            )

    def unconfirmed(self, record: str) -> None:
        """
        Mark a request whose response was lost. Its record stays as a warning.
        """
        with self._database.writing() as db:
            db.execute(
                "UPDATE records SET state = 'unknown'"
                " WHERE record = ? AND job_id IS NULL",
                (record,),
            )

    def ended(
        self,
        job: Job,
        *,
        files: Sequence[SavedFile] = (),
        first_index: int | None = None,
    ) -> None:
        """
        Record the final status of a job and its saved `files`, the first of them with
        the `{index}` `first_index`.

        Jobs without a record are ignored. So are errors of the journal: the result is
        more important.
        """
        kept = dump_files(files)
        with suppress(JournalError), self._database.writing() as db:
            db.execute(
                "UPDATE records SET state = ?, seconds = coalesce(?, seconds),"
                " files = CASE ? WHEN '[]' THEN files ELSE ? END,"
                " first_index = coalesce(?, first_index)"
                " WHERE service = ? AND job_id = ?",
                (
                    *(job.status, job.duration, kept, kept, first_index),
                    *(self._service, job.job_id),
                ),
            )

    def with_journal_data(self, job: Job) -> Job:
        """
        Add facts from the journal to the job: model, seed, price and saved files.

        If the journal cannot be used, return the job unchanged.
        """
        try:
            rows = self._database.rows(
                f"SELECT {', '.join(_JOB_COLUMNS)} FROM records"  # noqa: S608  (names)
                " WHERE service = ? AND job_id = ?",
                self._service,
                job.job_id,
            )
            if not rows:
                return job
            known = dict(zip(_JOB_COLUMNS, rows[0], strict=True))
            check_columns(known)
        except (JournalError, ValueError):
            return job
        known["files"] = job.files or load_files(known["files"])
        return replace(job, **known)

    def request_body(self, job_id: str) -> Mapping[str, Any]:
        """
        Return the stored part of the request body of the job; empty if unknown.
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

    def last_run_jobs(self) -> list[str]:
        """
        Return the jobs of the last run in order of submission.

        The list is empty if all requests of that run are unconfirmed.
        """
        return self._jobs(
            "SELECT job_id FROM records WHERE job_id IS NOT NULL AND run ="
            " (SELECT run FROM records WHERE service = ?"
            " ORDER BY number DESC LIMIT 1) ORDER BY number",
            self._service,
        )

    def run_jobs(self, run: str) -> list[str | None]:
        """
        Return the jobs of a run in order of submission, with None for requests without
        a job.
        """
        rows = self._database.rows(
            "SELECT job_id FROM records WHERE run = ? ORDER BY number", run
        )
        return [job_id for (job_id,) in rows]

    def runs_with_prefix(self, prefix: str) -> list[str]:
        """
        Return the ids of runs that start with `prefix`, oldest first.
        """
        rows = self._database.rows(
            "SELECT run FROM records WHERE service = ? AND run BETWEEN ? AND ?"
            " GROUP BY run ORDER BY min(number)",
            *(self._service, prefix, prefix + LAST_CHARACTER),
        )
        return [str(run) for (run,) in rows]

    def run_results(self, run: str) -> list[RunResult]:
        """
        Return the jobs of a run in order of submission, with their results so far.
        """
        rows = self._database.rows(
            "SELECT job_id, state, CASE WHEN json_valid(files)"
            " THEN json_array_length(files) ELSE 0 END, first_index FROM records"
            " WHERE service = ? AND run = ? AND job_id IS NOT NULL ORDER BY number",
            *(self._service, run),
        )
        return [RunResult(*row) for row in rows]

    def outputs(self, job_ids: Sequence[str]) -> dict[str, JobOutput]:
        """
        Return the run and its output options for each recorded job.

        If the journal cannot be used, return {}, so that waiting always works.
        """
        found = {}
        with suppress(JournalError):
            for job_id in job_ids:
                for run, output in self._database.rows(
                    "SELECT run, output FROM records WHERE service = ? AND job_id = ?",
                    *(self._service, job_id),
                ):
                    try:
                        check_columns({"run": run, "output": output})
                    except ValueError:
                        continue
                    found[job_id] = JobOutput(run, json.loads(output or "null"))
        return found

    def is_last_unconfirmed(self) -> bool:
        """
        Return True if the last request has no response yet.
        """
        found = self._database.rows(
            "SELECT state FROM records WHERE service = ? ORDER BY number DESC LIMIT 1",
            self._service,
        )
        return bool(found) and found[0][0] in ("intended", "unknown")

    @property
    def service(self) -> str:
        return self._service

    def other_service(self) -> str | None:
        """
        Return another service that the journal has jobs of, or None.
        """
        return find_other_service(self._database, self._service)

    def jobs_with_prefix(self, prefix: str) -> list[str]:
        """
        Return the job ids that start with `prefix`.
        """
        return self._jobs(
            "SELECT job_id FROM records WHERE service = ?"
            " AND job_id BETWEEN ? AND ? ORDER BY number",
            *(self._service, prefix, prefix + LAST_CHARACTER),
        )

    def _jobs(self, query: str, *values: object) -> list[str]:
        rows = self._database.rows(query, *values)
        return [job for (job,) in rows if isinstance(job, str) and is_job_id(job)]


def prune(db: Connection, *, now: float) -> None:
    """
    Delete old finished records. The ids of their jobs and the hashes of their files
    stay.
    """
    newest = db.execute(_NEWEST).fetchone()
    if newest is None or not _is_plausible(now, newest[0]):
        return
    found = db.execute(_PRUNABLE, (MAX_RECORDS, MAX_PRUNED_AT_ONCE)).fetchall()
    for number, service, job_id, key, files in found:
        try:
            check_columns({"job_id": job_id, "files": files})
        except ValueError:
            # Unreadable records stay until the user deletes them.
            continue
        hashes = json.dumps([file.sha256 for file in load_files(files)])
        db.execute(
            "INSERT OR IGNORE INTO pruned (service, job_id, key, file_sha256s)"
            " VALUES (?, ?, ?, ?)",
            (service, job_id, key, hashes),
        )
        db.execute("DELETE FROM records WHERE number = ?", (number,))


def _is_plausible(now: float, newest: object) -> bool:
    if not isinstance(newest, float):
        return False
    return -_MAX_BACK_SECONDS <= now - newest <= _MAX_AHEAD_SECONDS
