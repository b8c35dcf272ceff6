"""
The journal as it is, looked at without a change to any file.
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
    The journal in *folder*; *now* is the wall clock.

    Every method raises JournalError when the journal cannot be used.
    """

    def __init__(self, folder: Path, *, now: Callable[[], float]) -> None:
        self._folder = folder
        self._now = now

    def count(self) -> int | None:
        """
        How many records there are, after a look at all of the file; None without one.
        """

        def count(database: Database) -> int | None:
            found = database.rows("SELECT count(*) FROM records")
            damage = database.rows("PRAGMA quick_check(1)") if found else []
            if damage and damage != [("ok",)]:
                raise database.broken(str(damage[0][0]))
            return int(found[0][0]) if found else None

        return self._look(count)

    def in_doubt(self, service: str) -> list[Record]:
        """
        As `JournalQueries.in_doubt`.
        """
        return self._look(lambda database: self._history(database, service).in_doubt())

    def others_in_doubt(self, service: str) -> list[str]:
        """
        As `JournalQueries.others_in_doubt`.
        """
        return self._look(
            lambda database: self._history(database, service).others_in_doubt()
        )

    def _history(self, database: Database, service: str) -> JournalQueries:
        return JournalQueries(database, service, now=self._now, damaged=_refuse)

    def _look(self, work: Callable[[Database], T]) -> T:
        try:
            return self._look_once(work)
        except JournalError:
            # Another process may have begun to write while it was looked at.
            return self._look_once(work)

    def _look_once(self, work: Callable[[Database], T]) -> T:
        database = Database(self._folder, now=self._now, read_only=True)
        with closing(database):
            return work(database)


def _refuse(damaged: CorruptRecord) -> None:
    raise JournalError(
        damaged.said, hint=Step(Action.FORGET_DAMAGED, (damaged.record,))
    )
