from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing, suppress
from functools import partial
from itertools import count

import pytest

from krea_cli.api.resources import Job, SavedFile
from krea_cli.errors import ExitCode, JournalError
from krea_cli.jobs import journal as journal_module
from krea_cli.jobs.journal import Journal

WRITER = """
import sys, time
from pathlib import Path
from krea_cli.jobs.journal import Journal
folder, start, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
while not start.exists():
    time.sleep(0.001)
journal = Journal(folder, "service")
for n in range(20):
    journal.accepted(journal.begin(name, "m", n, None), f"job-{name}-{n:03}")
"""
URL = "https://gen.krea.test/a.png?X-Amz-Signature=signature"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def open_journal(folder):
    """
    Makes journals of that folder, which end with the test.
    """
    made = []

    def make(service="service", folder=folder):
        made.append(Journal(folder, service))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def journal(open_journal):
    return open_journal()


def keep(journal, job_id, *, run="run", model="m", seed=None):
    journal.accepted(journal.begin(run, model, seed, None), job_id)


def rows(folder, query="SELECT state, job_id FROM records ORDER BY rowid"):
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        return db.execute(query).fetchall()


def saved(**fields):
    given = {"path": "a.png", "url": URL, "media_type": "image/png"}
    return SavedFile(**given | {"size_bytes": 5, "sha256": "a" * 64} | fields)


def test_an_intention_is_on_disk_before_its_request_leaves(journal, folder):
    """
    Another process sees it at once: no crash can hide that something was paid for
    (hazard B2).
    """
    journal.begin("run", "m", 7, None)

    assert [("intended", None)] == rows(folder)


def test_an_accepted_job_is_kept_with_its_id(journal, folder):
    """
    Right after the answer.
    """
    keep(journal, "job-1")

    assert [("submitted", "job-1")] == rows(folder)


def test_a_refused_request_leaves_nothing(journal, folder):
    """
    It was not paid for.
    """
    journal.refused(journal.begin("run", "m", None, None))

    assert [] == rows(folder)


def test_a_lost_answer_stays_as_a_warning(journal, folder):
    """
    There may be a job, and a bill.
    """
    journal.unknown(journal.begin("run", "m", None, None))

    assert [("unknown", None)] == rows(folder)


def test_every_record_is_its_own(journal, folder):
    """
    Jobs of one call differ in their records (hazard B3).
    """
    records = {journal.begin("run", "m", 7, None) for _ in range(50)}

    assert 50 == len(records)


def test_a_commit_survives_a_power_cut(journal, folder):
    """
    The write-ahead log is flushed at each commit (hazard J1).
    """
    keep(journal, "job-1")
    db = journal._db()

    assert [("wal",)] == list(db.execute("PRAGMA journal_mode"))
    assert [(2,)] == list(db.execute("PRAGMA synchronous"))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_can_read_it(open_journal, folder, umask):
    """
    Folder and files are the user's alone, whatever the umask (hazard J5).
    """
    before = os.umask(umask)
    try:
        journal = open_journal()
        keep(journal, "job-1")
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()
        }
    finally:
        os.umask(before)

    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert {"journal.db", "journal.db-wal", "journal.db-shm"} == set(modes)
    assert {0o600} == set(modes.values())


def test_eight_processes_write_at_once(folder, tmp_path):
    """
    Also the first time, when there is no file yet: no record is lost, and nobody is
    told of a lock (hazard S9).
    """
    start = tmp_path / "start"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, folder, start, str(n)],
            stderr=subprocess.PIPE,
        )
        for n in range(8)
    ]
    time.sleep(0.2)
    start.touch()
    said = []
    for process in processes:
        with process:
            said.append(process.communicate()[1].decode())

    assert [""] * 8 == said
    assert 160 == len({job_id for _, job_id in rows(folder)})


def test_a_lock_that_sqlite_does_not_wait_for_is_waited_for(journal, monkeypatch):
    """
    While another process turns the file to write-ahead logging.
    """
    refusals = []

    class Locked(sqlite3.Connection):
        def execute(self, query, *values):
            if "journal_mode" in query and len(refusals) < 2:
                locked = sqlite3.OperationalError("database is locked")
                locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
                refusals.append(locked)
                raise locked
            return super().execute(query, *values)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", partial(connect, factory=Locked))

    journal.check()

    assert 2 == len(refusals)


def test_a_newer_journal_is_refused_and_left_alone(open_journal, folder):
    """
    An older krea would not know what it breaks (hazard J8).
    """
    keep(open_journal(), "job-1")
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        db.execute("PRAGMA user_version = 99")

    with pytest.raises(JournalError, match="newer krea") as caught:
        open_journal().begin("run", "m", None, None)

    assert "KREA_STATE_DIR" in caught.value.hint
    assert [("submitted", "job-1")] == rows(folder)


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + bytes(4000)]
)
def test_a_broken_journal_is_refused_and_left_alone(open_journal, folder, content):
    """
    To begin a new one would be to forget what was paid for (hazard J3).
    """
    folder.mkdir()
    path = folder / "journal.db"
    path.write_bytes(content)
    journal = open_journal()

    for use in (journal.check, journal.last, lambda: journal.matching("x")):
        with pytest.raises(JournalError) as caught:
            use()
        assert ExitCode.STORAGE == caught.value.exit_code
        assert "KREA_STATE_DIR" in caught.value.hint

    assert content == path.read_bytes()


def test_a_cut_journal_is_refused(open_journal, folder):
    """
    Its beginning is good, and the rest is gone.
    """
    first = open_journal()
    keep(first, "job-1", model="m" * 200_000)
    first.close()
    path = folder / "journal.db"
    os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(JournalError):
        open_journal().last()


@pytest.mark.parametrize("place", ["/proc/krea", "file/state", "x" * 300])
def test_a_folder_that_cannot_be_is_told(open_journal, tmp_path, place):
    """
    Before anything is paid for, with the variable that names another (hazard J4).
    """
    (tmp_path / "file").write_bytes(b"")
    journal = open_journal(folder=tmp_path / place)

    with pytest.raises(JournalError) as caught:
        journal.check()

    assert "KREA_STATE_DIR" in caught.value.hint
    assert "journal.db" in caught.value.message


def test_looking_at_a_job_is_always_possible(open_journal, folder, tmp_path):
    """
    A broken journal, one in an impossible place, or nonsense in a record: the job stays
    what the service says.
    """
    job = Job(job_id="job-1", status="completed")
    keep(open_journal("odd"), "job-1")
    with closing(sqlite3.connect(folder / "journal.db")) as db, db:
        db.execute("UPDATE records SET files = '[{\"what\": 1}]'")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "journal.db").write_bytes(b"no database" * 100)

    for journal in (
        open_journal("odd"),
        open_journal(folder=broken),
        open_journal(folder=tmp_path / ("x" * 300)),
        open_journal(folder=tmp_path / "none"),
    ):
        assert job == journal.described(job)


def test_a_result_counts_for_more_than_its_record(open_journal, tmp_path):
    """
    A file that is saved is not made a failure by a journal that cannot be written to.
    """
    (tmp_path / "journal.db").write_bytes(b"no database" * 100)

    open_journal(folder=tmp_path).ended(Job(job_id="job-1", status="completed"))

    assert b"no database" * 100 == (tmp_path / "journal.db").read_bytes()


def test_a_job_is_described_by_its_record(journal):
    """
    Model, seed and saved files: what the service does not tell.
    """
    keep(journal, "job-1", model="google/x", seed=7)
    file = saved(url="https://gen.krea.test/a.png", width=3, height=2)
    journal.ended(Job(job_id="job-1", status="completed", files=(file,)))

    told = journal.described(Job(job_id="job-1", status="completed"))

    assert ("google/x", 7, (file,)) == (told.model, told.seed, told.files)


def test_files_stay_when_a_job_is_looked_at_again(journal):
    """
    A look without a download forgets nothing.
    """
    keep(journal, "job-1")
    file = saved(url="https://gen.krea.test/a.png")
    journal.ended(Job(job_id="job-1", status="completed", files=(file,)))
    journal.ended(Job(job_id="job-1", status="completed"))

    assert (file,) == journal.described(Job(job_id="job-1", status="completed")).files


def test_a_job_of_another_place_is_passed_over(journal, folder):
    """
    It has no record, and gets none.
    """
    keep(journal, "job-1")
    journal.ended(Job(job_id="job-2", status="failed"))

    assert [("submitted", "job-1")] == rows(folder)


def test_last_is_the_last_run_in_the_order_of_submission(journal):
    """
    All its jobs; not those of the run before.
    """
    for run, job_id in (("one", "a"), ("two", "c"), ("two", "b")):
        keep(journal, job_id, run=run)

    assert ["c", "b"] == journal.last()


def test_a_run_without_a_job_is_not_the_last(journal):
    """
    Nothing of it can be collected.
    """
    keep(journal, "a", run="one")
    journal.unknown(journal.begin("two", "m", None, None))

    assert ["a"] == journal.last()


def test_the_last_run_is_last_though_the_clock_went_back(journal, monkeypatch):
    """
    The order is that of submission (hazard L6).
    """
    times = count(1_790_000_000, -86_400)
    monkeypatch.setattr(journal_module, "_now", lambda: next(times))
    for run in ("one", "two", "three"):
        keep(journal, f"job-{run}", run=run)

    assert ["job-three"] == journal.last()


def test_each_service_has_its_own_last(open_journal):
    """
    The sandbox does not hide the jobs that were paid for.
    """
    keep(open_journal("https://api.krea.ai"), "paid", run="one")
    keep(open_journal("sandbox"), "free", run="two")

    assert ["paid"] == open_journal("https://api.krea.ai").last()
    assert ["free"] == open_journal("sandbox").last()
    assert [] == open_journal("https://other.test").last()


def test_a_beginning_finds_the_jobs_that_start_so(open_journal):
    """
    Of this service; characters that mean something to SQL mean themselves.
    """
    journal = open_journal()
    for job_id in ("job_1a", "job_1b", "jobX1c"):
        keep(journal, job_id)
    keep(open_journal("other"), "job_1d")

    assert ["job_1a", "job_1b"] == journal.matching("job_1")
    assert [] == journal.matching("%")


def test_what_only_reads_makes_nothing(journal, folder):
    """
    No folder, no file.
    """
    assert ([], [], None) == (
        journal.last(),
        journal.matching("x"),
        journal.upload("a" * 64),
    )
    assert not folder.exists()


def test_an_upload_is_remembered_for_a_day(open_journal, monkeypatch):
    """
    At its service; how long the service keeps it is not documented.
    """
    journal = open_journal()
    now = 1_790_000_000.0
    monkeypatch.setattr(journal_module, "_now", lambda: now)
    journal.remember_upload("a" * 64, "https://k.test/a")

    assert "https://k.test/a" == journal.upload("a" * 64)
    assert open_journal("other").upload("a" * 64) is None
    now += 24 * 3600 - 1
    assert "https://k.test/a" == journal.upload("a" * 64)
    now += 2
    assert journal.upload("a" * 64) is None


def test_a_later_upload_replaces_the_first(journal):
    """
    The service may have refused the first.
    """
    journal.remember_upload("a" * 64, "https://k.test/old")
    journal.remember_upload("a" * 64, "https://k.test/new")

    assert "https://k.test/new" == journal.upload("a" * 64)


def test_no_query_of_a_url_is_kept(journal, folder):
    """
    It may be a signature (hazard J11): of a result the rest is kept, an upload is not
    remembered at all.
    """
    keep(journal, "job-1")
    journal.ended(Job(job_id="job-1", status="completed", files=(saved(),)))
    journal.remember_upload("a" * 64, URL)
    journal.close()
    [[files]] = rows(folder, "SELECT files FROM records")

    assert "https://gen.krea.test/a.png" == json.loads(files)[0]["url"]
    assert not [path for path in folder.iterdir() if b"signature" in path.read_bytes()]


def test_a_failed_write_changes_nothing(journal, folder):
    """
    And the journal can be used after it.
    """
    keep(journal, "job-1")

    with suppress(JournalError), journal._writing() as db:
        db.execute("DELETE FROM records")
        db.execute("no SQL")

    keep(journal, "job-2")
    assert ["job-1", "job-2"] == [job_id for _, job_id in rows(folder)]
