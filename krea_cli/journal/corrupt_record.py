"""
Find journal records that cannot be read, because another program or the disk damaged
them.

The outcome of their requests is unknown, so they stay until the user deletes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from krea_cli.journal.database import Database
from krea_cli.journal.record import COLUMNS, FIELDS, Record, is_process_alive
from krea_cli.journal.rows import STATES


class CorruptRecord(NamedTuple):
    """
    A record that cannot be read.

    `message` names the record and the reason. `is_in_flight` means that its process may
    still be submitting the request.
    """

    record: str
    message: str
    is_in_flight: bool

    @classmethod
    def of(cls, row: Sequence[Any], reason: Exception) -> CorruptRecord:
        values = dict(zip(FIELDS, row, strict=True))
        job = f" (job {values['job_id']})" if values["job_id"] else ""
        record, holder = str(values["record"]), values["holder"]
        # krea writes no state but "intended" for a request in flight.
        has_landed = values["state"] in STATES and values["state"] != "intended"
        return cls(
            record=record,
            message=f"Record {record}{job} is damaged: {reason}.",
            is_in_flight=not has_landed
            and isinstance(holder, str)
            and is_process_alive(holder) is True,
        )


def find_corrupt_record(
    database: Database, service: str, name: str
) -> CorruptRecord | None:
    """
    Return the unreadable record with this record id or job id, or None.

    Raises:
        JournalError: the journal cannot be used.
    """
    rows = database.rows(
        f"SELECT {COLUMNS} FROM records"  # noqa: S608  (names)
        " WHERE service = ? AND ? IN (record, job_id)",
        *(service, name),
    )
    for row in rows:
        try:
            Record.from_row(row)
        except ValueError as exc:
            return CorruptRecord.of(row, exc)
    return None
