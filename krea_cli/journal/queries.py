"""
Query the journal, and resolve unconfirmed requests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from krea_cli.errors import Action, JournalError, Step, UsageError
from krea_cli.journal.corrupt_record import CorruptRecord
from krea_cli.journal.costs import JournalCost
from krea_cli.journal.database import Database
from krea_cli.journal.record import COLUMNS, LAST_CHARACTER, Record, this_process
from krea_cli.journal.rows import check_columns
from krea_cli.journal.services import find_other_service
from krea_cli.journal.sql_schema import CLOSED

if TYPE_CHECKING:
    from sqlite3 import Connection

_SELECT = f"SELECT {COLUMNS} FROM records WHERE service = ? AND "  # noqa: S608  (names)
# Both states may be unconfirmed, depending on whether their process is alive.
_MAYBE_UNCONFIRMED = "state IN ('intended', 'unknown')"

# Only the newest jobs show how fast a model currently is.
MAX_DURATIONS, USUAL_SAMPLE_SIZE, MIN_USUAL_SAMPLE_SIZE = 200, 20, 3


class JournalQueries:
    """
    Queries over the records of one `service`: an API origin, or the sandbox.

    `now` is the wall clock. `damaged` is called once for each unreadable record. Such
    records are skipped. Every method raises JournalError if the journal cannot be used.
    """

    def __init__(
        self,
        database: Database,
        service: str,
        *,
        now: Callable[[], float],
        damaged: Callable[[CorruptRecord], object],
    ) -> None:
        self._damaged = damaged
        self._reported: set[str] = set()
        self._database = database
        self._service = service
        self._now = now

    def newest(
        self, *, limit: int, state: str | None = None, since: float | None = None
    ) -> list[Record]:
        """
        Return up to `limit` records, newest first.

        Optionally, return only records in one state, or created since a time.
        """
        condition = "service = ?"
        if since is not None:
            condition += " AND created_at >= ?"
        if state is not None:
            # The plus stops SQLite from using the index on the state instead of the
            # time.
            condition += f" AND {'' if since is None else '+'}state = ?"
        given = [value for value in (self._service, since, state) if value is not None]
        return self._find(
            f"number IN (SELECT number FROM records WHERE {condition}"  # noqa: S608  (names)
            " ORDER BY number DESC LIMIT ?) ORDER BY number DESC",
            *(*given, limit),
        )

    def costs(self, *, since: float | None) -> list[JournalCost]:
        """
        Return the cost of each record, optionally only of those created since a time.
        """
        unconfirmed = {record.record for record in self.unconfirmed()}
        rows = self._database.rows(
            "SELECT record, state, created_at, model, cost_usd FROM records"
            " WHERE service = ? AND created_at >= ? ORDER BY number",
            *(self._service, -math.inf if since is None else since),
        )
        found = []
        for record, *values in rows:
            cost = JournalCost(*values)
            try:
                check_columns(cost._asdict())
            except ValueError:
                self._find("record = ?", record)  # reports the bad record
                continue
            state = "unknown" if record in unconfirmed else cost.state
            found.append(cost._replace(state=state))
        return found

    def records_with_prefix(self, prefix: str) -> list[Record]:
        """
        Return the records whose record id or job id starts with `prefix`.
        """
        if not prefix.isascii():
            return []
        ends = (prefix, prefix + LAST_CHARACTER)
        return self._find(
            "number IN (SELECT number FROM records WHERE record BETWEEN ? AND ?"
            " UNION SELECT number FROM records"
            " WHERE service = ? AND job_id BETWEEN ? AND ?) ORDER BY number",
            *(*ends, self._service, *ends),
        )

    def record_of_job(self, job_id: str) -> Record | None:
        """
        Return the record of a job, or None.
        """
        return next(iter(self._find("job_id = ?", job_id)), None)

    @property
    def service(self) -> str:
        return self._service

    def unconfirmed(self) -> list[Record]:
        """
        Return the unconfirmed requests, oldest first. Krea may have accepted them.
        """
        now = self._now()
        # The plus makes SQLite sort the few rows found by an index, instead of scanning
        # all records in order.
        found = self._find(f"{_MAYBE_UNCONFIRMED} ORDER BY +number")
        return [record for record in found if record.is_unconfirmed(now)]

    def unconfirmed_elsewhere(self) -> list[str]:
        """
        Return the other services that have unconfirmed requests.
        """
        rows = self._database.rows(
            f"SELECT service FROM records WHERE {_MAYBE_UNCONFIRMED}"  # noqa: S608  (names)
        )
        others = {str(service) for (service,) in rows} - {self._service}
        return [
            service for service in sorted(others) if self._of(service).unconfirmed()
        ]

    def other_service(self) -> str | None:
        """
        Return another service that the journal has jobs of, or None.
        """
        return find_other_service(self._database, self._service)

    def _of(self, service: str) -> JournalQueries:
        return JournalQueries(
            self._database, service, now=self._now, damaged=lambda _: None
        )

    def known_jobs(self, job_ids: Iterable[str]) -> set[str]:
        """
        Return the jobs that have a record, or had one before it was pruned.
        """
        query = (
            "SELECT 1 FROM records WHERE service = ? AND job_id = ?"
            " UNION SELECT 1 FROM pruned WHERE service = ? AND job_id = ?"
        )
        place = self._service
        return {
            job_id
            for job_id in job_ids
            if self._database.rows(query, place, job_id, place, job_id)
        }

    def claim(self, record: Record) -> Record:
        """
        Claim an unconfirmed record in order to submit its request again.

        Only one of several processes succeeds. `record` must be as it was when its
        candidates were fetched.

        Raises:
            UsageError: the record is not unconfirmed (any more), or was sent again
                since then.
        """
        with self._database.writing() as db:
            found = self._unconfirmed_record(db, record.record)
            if found.resent_at != record.resent_at:
                raise UsageError(
                    f"Another process has submitted request {record.record} again.",
                    hint=Step(Action.LOOK_AGAIN),
                )
            claimed = replace(
                found,
                state="intended",
                holder=this_process(),
                resent_at=self._now(),
            )
            db.execute(
                "UPDATE records SET state = ?, holder = ?, resent_at = ?"
                " WHERE record = ?",
                (claimed.state, claimed.holder, claimed.resent_at, record.record),
            )
        return claimed

    def adopt(self, record: str, job_id: str) -> None:
        """
        Assign the job to an unconfirmed record.

        Raises:
            UsageError: the record is not unconfirmed (any more), or the job belongs to
                another record.
        """
        with self._database.writing() as db:
            self._unconfirmed_record(db, record)
            known = "SELECT record FROM records WHERE service = ? AND job_id = ?"
            if other := db.execute(known, (self._service, job_id)).fetchone():
                raise UsageError(f"Job {job_id} already belongs to record {other[0]}.")
            pruned = "SELECT 1 FROM pruned WHERE service = ? AND job_id = ?"
            if db.execute(pruned, (self._service, job_id)).fetchone():
                raise UsageError(f"Job {job_id} belongs to an earlier request.")
            db.execute(
                "UPDATE records SET state = 'submitted', job_id = ?,"
                " known_by = (SELECT max(number) FROM records) WHERE record = ?",
                (job_id, record),
            )

    def delete(self, records: Sequence[str], *, unread: Sequence[str] = ()) -> int:
        """
        Delete the records, and erase their prompts from the file.

        Records in `unread` are deleted whatever they contain. Return the number of
        deleted records.

        Raises:
            UsageError: another process is sending one of them. Then none is deleted.
        """
        if not (records or unread):
            return 0
        deleted = 0
        with self._database.writing() as db:
            for record in records:
                found = self._record(db, record)
                if found and found.holder != this_process():
                    self._check_not_in_flight(found)
            for record in (*records, *unread):
                query = "DELETE FROM records WHERE service = ? AND record = ?"
                deleted += db.execute(query, (self._service, record)).rowcount
        self._database.erase()
        return deleted

    def close(self, record: str) -> int:
        """
        Delete an unconfirmed record that this process has claimed, and erase its
        prompt. Its id stays, because locks may list the request.
        """
        with self._database.writing() as db:
            db.execute(CLOSED)
            place = (self._service, record)
            db.execute("INSERT OR IGNORE INTO closed VALUES (?, ?)", place)
            query = "DELETE FROM records WHERE service = ? AND record = ?"
            deleted = db.execute(query, place).rowcount
        self._database.erase()
        return deleted

    def older_than(self, time: float) -> list[Record]:
        """
        Return the records with a job that were created before a time, oldest first.
        """
        return self._find(
            f"NOT {_MAYBE_UNCONFIRMED} AND created_at < ? ORDER BY number", time
        )

    def durations(self, model: str) -> list[float]:
        """
        Return the durations in seconds of the last 200 completed jobs of a model.

        The newest comes first. Jobs without a duration reported by Krea are left out.
        """
        rows = self._database.rows(
            "SELECT seconds FROM records WHERE service = ? AND model = ?"
            " AND state = 'completed' AND seconds BETWEEN 0 AND 1e9"
            " ORDER BY number DESC LIMIT ?",
            *(self._service, model, MAX_DURATIONS),
        )
        return [float(seconds) for (seconds,) in rows]

    def usual_seconds(self, model: str) -> float | None:
        """
        Return the median duration of the model's last jobs in seconds.

        Return None if there are fewer than three.
        """
        newest = sorted(self.durations(model)[:USUAL_SAMPLE_SIZE])
        return (
            newest[len(newest) // 2] if len(newest) >= MIN_USUAL_SAMPLE_SIZE else None
        )

    def sent_at(self, job_id: str) -> float | None:
        """
        Return when the job's request was about to be sent, by the local clock.
        """
        found = self._database.rows(
            "SELECT coalesce(resent_at, created_at) FROM records"
            " WHERE service = ? AND job_id = ?"
            " AND coalesce(resent_at, created_at) BETWEEN 0 AND 1e12",
            *(self._service, job_id),
        )
        return float(found[0][0]) if found else None

    def _find(self, condition: str, *values: object) -> list[Record]:
        found = []
        for row in self._database.rows(_SELECT + condition, self._service, *values):
            try:
                found.append(Record.from_row(row))
            except ValueError as exc:
                damaged = CorruptRecord.of(row, exc)
                if damaged.message not in self._reported:
                    self._reported.add(damaged.message)
                    self._damaged(damaged)
        return found

    def _record(self, db: Connection, record: str) -> Record | None:
        row = db.execute(f"{_SELECT} record = ?", (self._service, record)).fetchone()
        try:
            return Record.from_row(row) if row else None
        except ValueError as exc:
            raise JournalError(CorruptRecord.of(row, exc).message) from exc

    def _unconfirmed_record(self, db: Connection, record: str) -> Record:
        found = self._record(db, record)
        if found is None:
            raise UsageError(f"Record {record} not found.")
        self._check_not_in_flight(found)
        if not found.is_unconfirmed(self._now()):
            job = f" (job {found.job_id})" if found.job_id else ""
            raise UsageError(
                f"Request {record} is not unconfirmed: {found.state}{job}."
            )
        return found

    def _check_not_in_flight(self, record: Record) -> None:
        if record.is_in_flight(self._now()):
            raise UsageError(
                f"Request {record.record} is being submitted right now.",
                hint="Wait until no other krea process runs, then try again.",
            )
