from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time as real_time
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
from journal.recorded import bytes_of, keep, record, rows

from krea_cli.cli.next_steps import NextSteps
from krea_cli.errors import ExitCode, JournalError
from krea_cli.jobs.sightings import Sightings
from krea_cli.journal import database as database_module
from krea_cli.journal.journal import Journal
from krea_cli.journal.queries import JournalQueries
from krea_cli.journal.readonly import ReadOnlyJournal

WRITER = """
import sys, time
from pathlib import Path
from krea_cli.journal.database import Database
from krea_cli.journal.journal import Journal
from krea_cli.journal.record import Record
folder, start, name, count = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
while not start.exists():
    time.sleep(0.001)
journal = Journal(Database(folder), "service")
for n in range(int(count)):
    record = Record.of(
        run=name, service="service", model="m", path="m", body={}, webhook=None,
        seed=n, cost_usd=None, now=time.time(),
    )
    journal.begin(record)
    journal.accepted(record.record, f"job-{name}-{n:03}")
"""
# The log of a journal, there and gone again.
FLICKER = """
import sys
from pathlib import Path
log = Path(sys.argv[1])
print(flush=True)
while True:
    log.touch()
    log.unlink()
"""
# A journal that another process has locked, and a signal meanwhile.
INTERRUPTED = """
import os, signal, sys, threading, time
from contextlib import nullcontext
from pathlib import Path
from krea_cli.runtime import signals
from krea_cli.journal.database import Database
signals.catch()
database = Database(Path(sys.argv[1]))
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
began, ended = time.monotonic(), "nothing"
try:
    with signals.defer_signals() if sys.argv[2] == "held" else nullcontext():
        try:
            database.check()
        except Exception as exc:
            ended = type(exc).__name__
except signals.Interrupted:
    ended += " Interrupted"
print(ended, time.monotonic() - began < 1.2)
"""


def spoilt(kind, folder):
    """
    The path of a journal in which something is wrong.
    """
    path = folder / "journal.db"
    if kind == "garbage":
        path.write_bytes(b"no database at all" * 500)
    elif kind == "zeros":
        path.write_bytes(b"SQLite format 3\0" + bytes(4000))
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "damaged":
        content = path.read_bytes()
        path.write_bytes(content.replace(b"tableuploads", b"tableupl\xac8\xe6\x8c"))
    elif kind == "version 0":
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 0")
    elif kind.startswith("truncated"):
        os.truncate(path, path.stat().st_size - int(kind.removeprefix("truncated ")))
    else:
        path.unlink()
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE notes (text)")
            db.execute(f"PRAGMA user_version = {kind.removeprefix('other tables ')}")
    return path


@pytest.fixture
def journal(database):
    return Journal(database, "service")


@pytest.fixture
def locked(folder, database):
    """
    A connection of another program that has locked the journal.
    """
    database.check()
    with closing(
        sqlite3.connect(
            folder / "journal.db", isolation_level=None, check_same_thread=False
        )
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def test_a_commit_survives_a_power_cut(database):
    """
    The write-ahead log is flushed at each commit.
    """
    database.check()

    assert [("wal",)] == database.rows("PRAGMA journal_mode")
    assert [(2,)] == database.rows("PRAGMA synchronous")
    assert [(1,)] == database.rows("PRAGMA fullfsync")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_can_read_it(open_database, tmp_path, umask):
    """
    Folders and files are the user's alone, whatever the umask.
    """
    folder = tmp_path / "new" / "state"
    before = os.umask(umask)
    try:
        keep(Journal(open_database(folder), "service"), "job-1")
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()
        }
    finally:
        os.umask(before)

    assert {0o700} == {
        stat.S_IMODE(each.stat().st_mode) for each in (folder, folder.parent)
    }
    assert {"journal.db", "journal.db-wal", "journal.db-shm"} == set(modes)
    assert {0o600} == set(modes.values())


def test_what_only_reads_makes_nothing(database, folder):
    """
    No folder, no file.
    """
    assert [] == database.rows("SELECT record FROM records")
    assert not folder.exists()


def test_without_a_folder_it_is_in_memory(open_database, tmp_path, monkeypatch):
    """
    All is as it is on disk, as long as the program runs; nothing is left.
    """
    monkeypatch.chdir(tmp_path)
    journal = Journal(open_database(None), "service")
    journal.check()
    keep(journal, "job-1")

    assert ["job-1"] == journal.last_run_jobs()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("many", "count"), [(4, 10), pytest.param(8, 50, marks=pytest.mark.long)]
)
def test_processes_write_at_once(folder, tmp_path, many, count):
    """
    Also the first time, when there is no file yet: no record is lost, and nobody is
    told of a lock.
    """
    start = tmp_path / "start"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, folder, start, str(n), str(count)],
            stderr=subprocess.PIPE,
        )
        for n in range(many)
    ]
    real_time.sleep(0.2)
    start.touch()
    said = []
    for process in processes:
        with process:
            said.append(process.communicate()[1].decode())

    assert [""] * many == said
    assert many * count == len({job_id for _, job_id in rows(folder)})
    assert many * count == len(set(rows(folder, "SELECT record FROM records")))
    # Of several that close at the same moment, each may take another for one that goes
    # on, and leave the log in place; whoever comes next, as `rows` did, removes it.
    assert ["journal.db"] == [path.name for path in folder.iterdir()]


def test_a_lock_that_goes_is_waited_for(locked, journal, folder):
    """
    Longer than SQLite by itself does here.
    """
    release = threading.Timer(0.2, locked.execute, ["ROLLBACK"])
    release.start()

    journal.begin(record())
    release.join()

    assert [("intended", None)] == rows(folder)


def test_a_lock_that_stays_is_told(locked, journal, folder, monkeypatch):
    """
    In the end; the journal is not called broken for it.
    """
    monkeypatch.setattr(database_module, "MAX_BUSY_SECONDS", 0.1)

    with pytest.raises(JournalError, match="Another program is using"):
        journal.begin(record())

    assert [] == rows(folder)


def test_a_log_may_go_at_any_moment(open_database, folder):
    """
    The last program that has the journal open takes it away: whoever looks just then
    is not told of a file that is missing.
    """
    folder.mkdir(mode=0o700)
    words = [sys.executable, "-c", FLICKER, folder / "journal.db-wal"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        try:
            looks = [open_database().rows("SELECT 1") for _ in range(2000)]
        finally:
            other.kill()

    assert not any(looks)


@pytest.mark.posix
@pytest.mark.parametrize(
    ("how", "ended"),
    [("free", "nothing Interrupted"), ("held", "JournalError Interrupted")],
)
def test_a_signal_gets_through_a_lock(locked, folder, how, ended):
    """
    Within a second, also where signals are held back until the work is done (S1).
    """
    told = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, folder, how],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )

    assert (f"{ended} True\n", "") == (told.stdout, told.stderr)


def test_a_newer_journal_is_refused_and_left_alone(open_database, folder):
    """
    An older krea would not know what it breaks.
    """
    first = open_database()
    keep(Journal(first, "service"), "job-1")
    first.close()
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        db.execute("PRAGMA user_version = 99")
    before = (folder / "journal.db").read_bytes()

    with pytest.raises(JournalError, match="newer version") as caught:
        Journal(open_database(), "service").begin(record())

    assert ExitCode.STORAGE == caught.value.exit_code
    assert "KREA_STATE_DIR" in caught.value.hint
    assert before == (folder / "journal.db").read_bytes()


@pytest.mark.parametrize(
    "kind",
    [
        "garbage",
        "zeros",
        "empty",
        "truncated 512",
        "truncated 20480",
        "damaged",
        "version 0",
        "other tables 0",
        "other tables 1",
    ],
)
def test_a_broken_journal_is_refused_and_left_alone(open_database, folder, kind):
    """
    To begin a new one would be to forget what was paid for; the command
    that the hint names opens the way to one, and loses nothing.
    """
    first = open_database()
    for n in range(30):
        keep(Journal(first, "service"), f"job-{n}")
    first.close()
    path = spoilt(kind, folder)
    before = path.read_bytes()
    journal = Journal(open_database(), "service")

    for use in (journal.check, journal.last_run_jobs, lambda: journal.begin(record())):
        with pytest.raises(JournalError, match="damaged") as caught:
            use()
    move, look = NextSteps().lines(caught.value.advice)

    assert before == path.read_bytes()
    assert look.endswith(": krea jobs list --remote")
    subprocess.run(move.partition(": ")[2], shell=True, check=True)
    journal.begin(record())
    assert before == (folder / "journal.db.broken").read_bytes()


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_log_without_its_journal_is_refused(open_database, folder, lose):
    """
    What is in it was paid for, and is in no file but this: a new journal would lose it,
    or be spoilt by it.
    """
    keep(Journal(open_database(), "service"), "job-1")
    lose(folder / "journal.db")
    before = (folder / "journal.db-wal").read_bytes()
    journal = Journal(open_database(), "service")

    for use in (journal.check, journal.last_run_jobs):
        with pytest.raises(JournalError, match="damaged") as caught:
            use()
        assert f"{folder}/journal.db-wal {folder}/journal.db.broken-wal" in (
            caught.value.hint
        )

    assert before == (folder / "journal.db-wal").read_bytes()


@pytest.mark.parametrize("place", ["/proc/krea", "file/state", "x" * 300])
def test_a_folder_that_cannot_be_is_told(open_database, tmp_path, place):
    """
    Before anything is paid for, with the variable that names another, and the flag that
    does without.
    """
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(JournalError) as caught:
        open_database(tmp_path / place).check()

    hint = caught.value.hint
    assert 0 < hint.index("KREA_STATE_DIR") < hint.index("--no-journal")
    assert "journal.db" in caught.value.message


def test_a_full_disk_is_told(database, journal, folder):
    """
    The records that are there stay.
    """
    keep(journal, "job-1")
    database.rows("PRAGMA max_page_count = 1")

    with pytest.raises(JournalError, match="full") as caught:
        journal.begin(record({"prompt": "x" * 100_000}))

    assert "KREA_STATE_DIR" in caught.value.hint
    assert [("submitted", "job-1")] == rows(folder)


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_write_that_is_cut_short_changes_nothing(database, journal, folder, failure):
    """
    And the journal can be used after it.
    """
    keep(journal, "job-1")

    with suppress(failure), database.writing() as db:
        db.execute("DELETE FROM records")
        raise failure

    keep(journal, "job-2")
    assert ["job-1", "job-2"] == [job_id for _, job_id in rows(folder)]


def test_a_statement_that_fails_changes_nothing(database, journal, folder):
    """
    It is told as all else that goes wrong with the journal.
    """
    keep(journal, "job-1")

    with suppress(JournalError), database.writing() as db:
        db.execute("DELETE FROM records")
        db.execute("no SQL")

    assert [("submitted", "job-1")] == rows(folder)


def test_where_there_is_no_write_ahead_log_it_does_without(
    open_database, folder, monkeypatch
):
    """
    As on a network's file system, where there are no links either.
    """

    class Elsewhere(sqlite3.Connection):
        def execute(self, query, *values):
            return super().execute(query.replace("= WAL", "= DELETE"), *values)

    def no_links(path, target):
        raise PermissionError

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", partial(connect, factory=Elsewhere))
    monkeypatch.setattr(Path, "hardlink_to", no_links)
    database = open_database()
    journal = Journal(database, "service")
    forgotten = record({"prompt": "forgotten"})
    journal.begin(forgotten)
    keep(journal, "job-1")
    JournalQueries(database, "service", now=lambda: 0, damaged=pytest.fail).delete(
        [forgotten.record]
    )

    assert [("delete",)] == database.rows("PRAGMA journal_mode")
    assert [(2,)] == database.rows("PRAGMA synchronous")
    assert [("submitted", "job-1")] == rows(folder)
    assert ["journal.db"] == [path.name for path in folder.iterdir()]
    assert b"forgotten" not in bytes_of(folder)


FIRST_LAYOUT = """
CREATE TABLE records (record TEXT PRIMARY KEY, run TEXT NOT NULL, service TEXT NOT NULL,
  created_at REAL NOT NULL, model TEXT NOT NULL, seed INTEGER, cost_usd REAL,
  state TEXT NOT NULL, job_id TEXT, files TEXT NOT NULL DEFAULT '[]');
CREATE INDEX records_by_job ON records (job_id);
CREATE INDEX records_by_time ON records (service, created_at);
CREATE TABLE uploads (service TEXT NOT NULL, sha256 TEXT NOT NULL, url TEXT NOT NULL,
  uploaded_at REAL NOT NULL, PRIMARY KEY (service, sha256));
INSERT INTO records VALUES ('r1', 'a', 's', 1.0, 'm', 7, 0.1, 'completed', 'j1', '[]');
INSERT INTO records VALUES ('r2', 'b', 's', 2.0, 'm', 7, 0.1, 'unknown', NULL, '[]');
PRAGMA user_version = 1;
"""


def test_the_first_layout_is_brought_up_to_date(open_database, folder):
    """
    By whichever of several comes first; what was paid for and what is in doubt stays.
    """
    folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        db.executescript(FIRST_LAYOUT)

    for _ in range(2):
        history = JournalQueries(
            open_database(), "s", now=lambda: 3.0, damaged=pytest.fail
        )
        assert ["r2", "r1"] == [each.record for each in history.newest(limit=9)]
        [doubtful] = history.unconfirmed()
        assert ("r2", False) == (doubtful.record, doubtful.is_complete)


SECOND_LAYOUT = """
CREATE TABLE records (number INTEGER PRIMARY KEY, record TEXT NOT NULL UNIQUE,
  run TEXT NOT NULL, service TEXT NOT NULL, created_at REAL NOT NULL, resent_at REAL,
  model TEXT NOT NULL, request TEXT NOT NULL, request_sha256 TEXT NOT NULL,
  seed INTEGER, cost_usd REAL, state TEXT NOT NULL, job_id TEXT, files TEXT NOT NULL,
  seconds REAL, holder TEXT NOT NULL);
CREATE INDEX records_by_run ON records (run);
CREATE TABLE uploads (service TEXT NOT NULL, sha256 TEXT NOT NULL, url TEXT NOT NULL,
  uploaded_at REAL NOT NULL, PRIMARY KEY (service, sha256));
INSERT INTO records VALUES (1, 'r1', 'a', 'service', 1.0, NULL, 'm',
  '{"path": "m", "body": {}, "webhook": null}', '', 7, 0.1, 'completed', 'j1', '[]',
  2.0, '');
INSERT INTO records VALUES (2, 'r2', 'b', 'service', 2.0, NULL, 'm',
  '{"path": "m", "body": {}, "webhook": null}', '', 7, 0.1, 'unknown', NULL, '[]',
  NULL, '');
PRAGMA user_version = 2;
"""


def test_the_second_layout_is_brought_up_to_date(open_database, folder):
    """
    A look that must not write reads it, too; then whoever comes first changes the file.
    """
    folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        db.executescript(SECOND_LAYOUT)
    before = (folder / "journal.db").read_bytes()

    looked = ReadOnlyJournal(folder, now=lambda: 3.0)
    assert (2, 1) == (looked.count(), len(looked.unconfirmed("service")))
    assert before == (folder / "journal.db").read_bytes()
    for n in range(2):
        database = open_database()
        keep(Journal(database, "service"), f"job-{n}")
        sightings = Sightings(database, "service")
        assert {"j1"} == sightings.known_before("r2", ["j1", "job-0"])
        assert 0 == len(database.rows("SELECT * FROM pruned"))


THIRD_LAYOUT = """
CREATE TABLE records (number INTEGER PRIMARY KEY, record TEXT NOT NULL UNIQUE,
  run TEXT NOT NULL, service TEXT NOT NULL, created_at REAL NOT NULL, resent_at REAL,
  model TEXT NOT NULL, request TEXT NOT NULL, request_sha256 TEXT NOT NULL,
  seed INTEGER, cost_usd REAL, state TEXT NOT NULL, job_id TEXT, files TEXT NOT NULL,
  seconds REAL, holder TEXT NOT NULL, token_digest TEXT, key TEXT, known_by INTEGER,
  ahead REAL, seen TEXT);
CREATE TABLE pruned (service TEXT NOT NULL, job_id TEXT NOT NULL, key TEXT,
  file_sha256s TEXT NOT NULL, PRIMARY KEY (service, job_id));
CREATE TABLE uploads (service TEXT NOT NULL, sha256 TEXT NOT NULL, url TEXT NOT NULL,
  uploaded_at REAL NOT NULL, PRIMARY KEY (service, sha256));
INSERT INTO records VALUES (1, 'r1', 'a', 'service', 1.0, NULL, 'm',
  '{"path": "m", "body": {}, "webhook": null}', '', 7, 0.1, 'submitted', 'job-a', '[]',
  2.0, '', NULL, 'key', 1, NULL, NULL);
PRAGMA user_version = 3;
"""


def test_the_third_layout_is_brought_up_to_date(open_database, folder):
    folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        db.executescript(THIRD_LAYOUT)

    assert 1 == ReadOnlyJournal(folder, now=lambda: 3.0).count()
    for n in range(2):
        journal = Journal(open_database(), "service")
        keep(journal, f"job-{n}", run="b", output={"output": "/x.png", "count": 1})
        found = journal.outputs(["job-a", f"job-{n}"])
        assert ("a", None) == found["job-a"]
        assert ("b", {"output": "/x.png", "count": 1}) == found[f"job-{n}"]


@pytest.mark.posix
@pytest.mark.parametrize("is_new", [True, False])
def test_a_file_system_without_locks_is_named(
    open_database, folder, monkeypatch, is_new
):
    """
    SQLite calls it busy, but nobody has locked anything; it is not waited for.
    """

    class Unlocked(sqlite3.Connection):
        def execute(self, query, *values):
            if "IMMEDIATE" in query or "journal_mode" in query:
                raise database_module._BusyError("database is locked")
            return super().execute(query, *values)

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    if not is_new:
        open_database().check()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", partial(connect, factory=Unlocked))
    monkeypatch.setattr("fcntl.lockf", no_locks)
    began = real_time.monotonic()

    with pytest.raises(JournalError, match="has no file locks") as caught:
        open_database().check()

    assert real_time.monotonic() - began < 1
    assert str(folder) in caught.value.message
    assert "KREA_STATE_DIR" in caught.value.hint
