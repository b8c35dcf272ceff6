from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from journal.recorded import JOB, keep, record, rows

from krea_cli.errors import JournalError
from krea_cli.journal import sql_schema
from krea_cli.journal.journal import Journal
from krea_cli.journal.readonly import ReadOnlyJournal


@pytest.fixture
def journal(database):
    return Journal(database, "service")


@pytest.fixture
def inspection(folder, time):
    return ReadOnlyJournal(folder, now=time.wall)


def files(folder):
    """
    What is there, but for the index of the log, which all who read it share.
    """
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if not path.name.endswith("-shm")
    }


def test_without_a_journal_there_are_no_records(inspection, folder):
    """
    And none is made.
    """
    assert inspection.count() is None
    assert [] == inspection.unconfirmed("service")
    assert not folder.exists()


def test_what_only_the_log_has_is_seen(inspection, journal, folder):
    """
    While another process has the journal open, and without a change to its files.
    """
    keep(journal, JOB.format(1))
    lost = record()
    journal.begin(lost)
    journal.unconfirmed(lost.record)
    before = files(folder)

    assert before["journal.db-wal"]
    assert 2 == inspection.count()
    assert [lost.record] == [each.record for each in inspection.unconfirmed("service")]
    assert [] == inspection.unconfirmed("another")
    assert before == files(folder)


def test_a_closed_journal_gets_no_files_beside_it(
    inspection, journal, database, folder
):
    """
    Neither a log nor its index, also where nothing may be made.
    """
    keep(journal, JOB.format(1))
    database.close()

    assert 1 == inspection.count()
    assert ["journal.db"] == [path.name for path in folder.iterdir()]


def test_damage_within_is_found(inspection, journal, database, folder):
    """
    A page in the middle that is none: the query for the records does not meet it.
    """
    keep(journal, JOB.format(1))
    database.close()
    path = folder / "journal.db"
    content = path.read_bytes()
    [(page,)] = rows(
        folder, "SELECT rootpage FROM sqlite_master WHERE name = 'records_by_run'"
    )
    begin = (page - 1) * sql_schema.PAGE_BYTES
    rest = content[begin + sql_schema.PAGE_BYTES :]
    path.write_bytes(content[:begin] + b"\xff" * sql_schema.PAGE_BYTES + rest)

    with pytest.raises(JournalError, match="is damaged"):
        inspection.count()


def test_a_lock_is_not_waited_for(inspection, journal, database, folder):
    """
    Who writes without a log, as on a network drive, keeps readers out.
    """
    keep(journal, JOB.format(1))
    database.close()
    path = folder / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN EXCLUSIVE")
        Path(f"{path}-journal").touch()

        with pytest.raises(JournalError, match="Another program is using"):
            inspection.count()
