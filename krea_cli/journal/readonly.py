"""
Read the journal without changing any file.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from krea_cli.errors import Action, JournalError, Step
from krea_cli.journal.corrupt_record import CorruptRecord
from krea_cli.journal.database import Database
from krea_cli.journal.queries import JournalQueries
from krea_cli.journal.record import Record

T = TypeVar("T")


class ReadOnlyJournal:
    """
    Read-only access to the journal in `folder`. `now` is the wall clock.

    Every method raises JournalError if the journal cannot be used.
    """

    def __init__(self, folder: Path, *, now: Callable[[], float]) -> None:
        self._folder = folder
        self._now = now

    def count(self) -> int | None:
        """
        Check the integrity of the file, and return the number of records.

        Return None if there is no journal.
        """

        def count(database: Database) -> int | None:
            found = database.rows("SELECT count(*) FROM records")
            damage = database.rows("PRAGMA quick_check(1)") if found else []
            if damage and damage != [("ok",)]:
                raise database.corrupt_error(str(damage[0][0]))
            return int(found[0][0]) if found else None

        return self._read(count)

    def unconfirmed(self, service: str) -> list[Record]:
        """
        Return unconfirmed requests, as `JournalQueries.unconfirmed` does.
        """
        return self._read(
            lambda database: self._queries(database, service).unconfirmed()
        )

    def unconfirmed_elsewhere(self, service: str) -> list[str]:
        """
        Return services, as `JournalQueries.unconfirmed_elsewhere` does.
        """
        return self._read(
            lambda database: self._queries(database, service).unconfirmed_elsewhere()
        )

    def _queries(self, database: Database, service: str) -> JournalQueries:
        return JournalQueries(database, service, now=self._now, damaged=_raise_damaged)

    def _read(self, work: Callable[[Database], T]) -> T:
        try:
            return self._read_once(work)
        except JournalError:
            # Another process may have started writing in the meantime. Try again.
            return self._read_once(work)

    def _read_once(self, work: Callable[[Database], T]) -> T:
        database = Database(self._folder, now=self._now, read_only=True)
        with closing(database):
            return work(database)


def _raise_damaged(damaged: CorruptRecord) -> None:
    raise JournalError(
        damaged.message, hint=Step(Action.FORGET_DAMAGED, (damaged.record,))
    )
