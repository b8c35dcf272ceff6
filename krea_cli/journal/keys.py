"""
Store a key for paid requests, so that repeated requests are recognized.

The key is a hash of the request. All processes share the keys.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from krea_cli.errors import JournalError
from krea_cli.journal.corrupt_record import CorruptRecord
from krea_cli.journal.database import Database
from krea_cli.journal.journal import INSERT, prune
from krea_cli.journal.record import COLUMNS, Record

if TYPE_CHECKING:
    from sqlite3 import Connection

# The index only makes queries faster, so journals without it have the same layout.
_INDEX = """
CREATE INDEX IF NOT EXISTS records_by_key ON records (service, key)
WHERE key IS NOT NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """
    A request with a key: a `record`, or the `job_id` and file hashes of a pruned one.
    """

    record: Record | None = None
    job_id: str | None = None
    file_sha256s: tuple[str, ...] = ()

    @property
    def ids(self) -> set[str]:
        """
        Return the ids by which callers may refer to this request.
        """
        record = self.record.record if self.record else None
        return {each for each in (record, self.job_id) if each}


class JournalKeys:
    """
    The keys of the requests to one `service`.

    Every method raises JournalError if the journal cannot be used.
    """

    def __init__(self, database: Database, service: str) -> None:
        self._database = database
        self._service = service

    def claim(
        self, record: Record, key: str, *, known: Collection[str] = ()
    ) -> KeyHolder | None:
        """
        Commit that the request of `record` is about to be sent, unless its key is
        taken.

        If another request has the key, return that one and store nothing. `known` are
        the records and jobs that may share the key, because the user wants to pay for
        the request again.
        """
        with self._database.writing() as db:
            db.execute(_INDEX)
            for holder in self._holders(db, key):
                if not holder.ids & set(known):
                    return holder
            prune(db, now=self._database.now())
            db.execute(INSERT, (*record.as_row(), key))
        return None

    def holders(self, keys: Iterable[str]) -> Mapping[str, list[KeyHolder]]:
        """
        Return the requests that have one of the keys, by key, newest first.
        """
        found = defaultdict[str, list[KeyHolder]](list)
        wanted = json.dumps(list(keys))
        for key, *row in self._database.rows(
            f"SELECT key, {COLUMNS} FROM records"  # noqa: S608  (names)
            " WHERE service = ? AND key IN (SELECT value FROM json_each(?))"
            " ORDER BY number DESC",
            *(self._service, wanted),
        ):
            found[key].append(_of_record(row))
        for key, *row in self._database.rows(
            "SELECT key, job_id, file_sha256s FROM pruned"
            " WHERE service = ? AND key IN (SELECT value FROM json_each(?))",
            *(self._service, wanted),
        ):
            found[key].append(_of_pruned(row))
        return dict(found)

    def closed(self, records: Iterable[str]) -> set[str]:
        """
        Return the records that the user has stopped tracking.
        """
        has_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        wanted = json.dumps(sorted(records))
        if wanted == "[]" or not self._database.rows(has_table, "closed"):
            return set()
        found = self._database.rows(
            "SELECT record FROM closed WHERE service = ?"
            " AND record IN (SELECT value FROM json_each(?))",
            *(self._service, wanted),
        )
        return {str(record) for (record,) in found}

    def _holders(self, db: Connection, key: str) -> list[KeyHolder]:
        place = (self._service, key)
        rows = db.execute(
            f"SELECT {COLUMNS} FROM records WHERE service = ? AND key = ?"  # noqa: S608  (names)
            " ORDER BY number DESC",
            place,
        ).fetchall()
        pruned = db.execute(
            "SELECT job_id, file_sha256s FROM pruned WHERE service = ? AND key = ?",
            place,
        ).fetchall()
        return [*map(_of_record, rows), *map(_of_pruned, pruned)]


def _of_record(row: Any) -> KeyHolder:
    try:
        record = Record.from_row(row)
    except ValueError as exc:
        # The request was paid for, but its outcome is unknown.
        raise JournalError(CorruptRecord.of(row, exc).message) from exc
    hashes = tuple(file.sha256 for file in record.files)
    return KeyHolder(record=record, job_id=record.job_id, file_sha256s=hashes)


def _of_pruned(row: Any) -> KeyHolder:
    job_id, hashes = row
    return KeyHolder(job_id=job_id, file_sha256s=tuple(json.loads(hashes)))
