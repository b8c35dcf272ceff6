from __future__ import annotations

import json
import sqlite3
import time as real_time
from contextlib import closing

import pytest
from journal.recorded import DAY, NOW, bytes_of, keep, record, rows

from krea_cli.api.models import Job, SavedFile
from krea_cli.errors import DuplicateJobIdError, JournalError, UsageError
from krea_cli.journal import journal as journal_module
from krea_cli.journal.journal import Journal
from krea_cli.journal.queries import JournalQueries

URL = "https://gen.krea.test/a.png"
MANY = """
WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted LIMIT ?)
INSERT INTO records (record, run, service, created_at, model, request, request_sha256,
  seed, cost_usd, state, job_id, files, seconds, holder)
SELECT 'record-' || n, run, service, created_at, model, request,
  request_sha256, seed, cost_usd, 'completed', 'job-' || n, '[]', 2.5, holder
FROM records, counted
"""


@pytest.fixture
def open_journal(open_database):
    def make(service="service", **place):
        return Journal(open_database(**place), service)

    return make


@pytest.fixture
def journal(database):
    return Journal(database, "service")


def saved(**fields):
    given = {"path": "/a.png", "url": URL, "media_type": "image/png"}
    return SavedFile(**given | {"size_bytes": 5, "sha256": "a" * 64} | fields)


def completed(job_id="job-1", **fields):
    return Job(job_id=job_id, status="completed", **fields)


def test_an_intention_is_on_disk_before_its_request_leaves(journal, folder):
    """
    Another process sees it at once: no crash can hide that something was paid for.
    """
    journal.begin(record())

    assert [("intended", None)] == rows(folder)


def test_an_accepted_job_is_kept_with_its_id(journal, folder):
    """
    Right after the answer.
    """
    keep(journal, "job-1")

    assert [("submitted", "job-1")] == rows(folder)


def test_a_refused_request_leaves_nothing(journal, database, folder):
    """
    It was not paid for; its prompt is not on disk any more.
    """
    made = record({"prompt": "canary"})
    journal.begin(made)
    journal.refused(made.record)
    database.close()

    assert [] == rows(folder)
    assert b"canary" not in bytes_of(folder)


def test_a_lost_answer_stays_as_a_warning(journal, folder):
    """
    There may be a job, and a bill.
    """
    made = record()
    journal.begin(made)
    journal.unconfirmed(made.record)

    assert [("unknown", None)] == rows(folder)


def test_one_intent_has_one_record(journal, folder):
    """
    A second one is refused before anything is sent.
    """
    made = record()
    journal.begin(made)

    with pytest.raises(JournalError):
        journal.begin(made)

    assert 1 == len(rows(folder))


def test_what_another_process_has_settled_stays_so(journal, folder):
    """
    The first one was away for longer than it may, and comes back.
    """
    made = keep(journal, "job-1")

    with pytest.raises(JournalError):
        journal.accepted(made.record, "job-2")
    journal.unconfirmed(made.record)
    journal.refused(made.record)

    assert [("submitted", "job-1")] == rows(folder)


def test_a_job_that_cannot_be_kept_is_told(journal):
    """
    Its record is gone: the id is known nowhere else.
    """
    journal.check()

    with pytest.raises(JournalError):
        journal.accepted("gone", "job-1")


ALL_STATES = ("completed", "failed", "cancelled", "unknown", "submitted")
JOBS = "SELECT job_id FROM records ORDER BY number"
RUNS = "SELECT run, state FROM records ORDER BY number"


def end(journal, job_id, hashes, **fields):
    """
    A finished record whose job has files with these hashes.
    """
    keep(journal, job_id, **fields)
    journal.ended(completed(job_id), files=[saved(sha256=each) for each in hashes])


def test_prune_keeps_the_newest_records_and_all_unfinished_ones(
    journal, folder, monkeypatch
):
    """
    With the next request.
    """
    monkeypatch.setattr(journal_module, "MAX_RECORDS", 5)
    for run in ("old", "young"):
        for n, state in enumerate(ALL_STATES):
            journal.begin(record(run=run, state=state, job_id=f"job-{run}-{n}"))
    journal.begin(record(run="new"))

    kept = [("young", state) for state in ALL_STATES]
    assert [("old", "unknown"), ("old", "submitted"), *kept, ("new", "intended")] == (
        rows(folder, RUNS)
    )


def test_prune_keeps_what_identifies_jobs_and_files(
    journal, database, folder, monkeypatch
):
    """
    A pruned job is still known: it is no candidate, and no answer to a new request.
    """
    monkeypatch.setattr(journal_module, "MAX_RECORDS", 1)
    end(journal, "job-1", ["a" * 64, "b" * 64])
    with database.writing() as db:
        db.execute("UPDATE records SET key = 'k1'")
    end(journal, "job-2", ["c" * 64])
    made = record()
    journal.begin(made)
    history = JournalQueries(database, "service", now=lambda: NOW, damaged=pytest.fail)

    with pytest.raises(DuplicateJobIdError):
        journal.accepted(made.record, "job-1")
    with pytest.raises(UsageError):
        history.adopt(made.record, "job-1")
    assert [("job-2",), (None,)] == rows(folder, JOBS)
    query = "SELECT service, job_id, key, file_sha256s FROM pruned"
    [(service, job_id, key, hashes)] = rows(folder, query)
    assert ("service", "job-1", "k1") == (service, job_id, key)
    assert ["a" * 64, "b" * 64] == json.loads(hashes)
    assert {"job-1", "job-2"} == history.known_jobs(["job-1", "job-2", "job-3"])


@pytest.mark.parametrize("years", [-56, 12])
def test_prune_waits_while_the_clock_is_implausible(
    journal, folder, time, monkeypatch, years
):
    """
    One run in 1970 or 2038 deletes nothing.
    """
    monkeypatch.setattr(journal_module, "MAX_RECORDS", 0)
    end(journal, "job-1", [])
    time.elapsed = years * 365 * DAY
    journal.begin(record(created_at=time.wall()))

    assert 2 == len(rows(folder))


@pytest.mark.parametrize("years", [-56, 12])
def test_a_record_of_a_wrong_clock_stays(journal, folder, time, years):
    """
    Its age says nothing: neither does it go itself, nor do the others.
    """
    end(journal, "job-1", [], created_at=NOW + years * 365 * DAY)
    time.elapsed = 60.0
    end(journal, "job-2", [])
    time.elapsed = 100 * DAY
    journal.begin(record())

    assert 3 == len(rows(folder))


def test_prune_leaves_a_damaged_record(journal, folder, database, monkeypatch):
    """
    It stays until the user deletes it, and blocks no request.
    """
    monkeypatch.setattr(journal_module, "MAX_RECORDS", 0)
    for n in range(2):
        end(journal, f"job-{n}", [])
        with database.writing() as db:
            db.execute("UPDATE records SET files = '[{}]' WHERE job_id = 'job-0'")
    journal.begin(record())

    assert [("job-0",), (None,)] == rows(folder, JOBS)


@pytest.mark.long
@pytest.mark.parametrize("kept", [100_000, 1_000])
def test_many_records_slow_nothing_down(open_database, monkeypatch, kept):
    """
    With 100,000 of them, a request can be sent within 200 ms, also when
    they are to go.  What other programs take meanwhile does not count.
    """
    monkeypatch.setattr(journal_module, "MAX_RECORDS", kept)
    database = open_database()
    Journal(database, "service").begin(record())
    with database.writing() as db:
        db.execute(MANY, (100_000,))
    database.close()

    began = real_time.process_time()
    Journal(open_database(), "service").begin(record())
    seconds = real_time.process_time() - began

    assert seconds < 0.2


def test_how_a_job_ended_is_kept(journal, folder):
    """
    Its state, its files, and how long it took by the service's own clock.
    """
    keep(journal, "job-1")
    times = {
        "created_at": "2026-09-21T10:00:00.000Z",
        "completed_at": "2026-09-21T10:00:12.500Z",
    }
    journal.ended(completed(**times), files=[saved()])

    [(state, seconds)] = rows(folder, "SELECT state, seconds FROM records")
    assert ("completed", 12.5) == (state, seconds)
    assert (saved(),) == journal.with_journal_data(completed()).files


@pytest.mark.parametrize(
    ("created_at", "completed_at"),
    [
        (None, None),
        ("2026-09-21T10:00:00Z", "soon"),
        ("2026-09-21T10:00:00Z", "2026-09-21T09:00:00Z"),
    ],
)
def test_times_that_make_no_sense_are_passed_over(
    journal, folder, created_at, completed_at
):
    """
    What is known stays.
    """
    keep(journal, "job-1", seconds=3.0)
    journal.ended(completed(created_at=created_at, completed_at=completed_at))

    assert [(3.0,)] == rows(folder, "SELECT seconds FROM records")


def test_files_stay_when_a_job_is_looked_at_again(journal):
    """
    A look without a download changes nothing, whatever folder it is made from.
    """
    keep(journal, "job-1")
    journal.ended(completed(), files=[saved()])
    journal.ended(completed(files=(saved(path="a.png"),)))

    assert (saved(),) == journal.with_journal_data(completed()).files


def test_a_job_of_another_place_is_passed_over(journal, folder):
    """
    It has no record, and gets none.
    """
    keep(journal, "job-1")
    journal.ended(completed("job-2"))

    assert [("submitted", "job-1")] == rows(folder)


def test_a_result_counts_for_more_than_its_record(open_journal, tmp_path):
    """
    A file that is saved is not made a failure by a journal that cannot be written to.
    """
    (tmp_path / "journal.db").write_bytes(b"no database" * 100)

    open_journal(folder=tmp_path).ended(completed())

    assert b"no database" * 100 == (tmp_path / "journal.db").read_bytes()


def test_a_job_is_described_by_its_record(journal):
    """
    Model, seed, price and saved files: what the service does not tell.
    """
    keep(journal, "job-1")
    journal.ended(completed(), files=[saved()])

    assert completed(
        model="google/x", seed=7, cost_usd=0.15, files=(saved(),)
    ) == journal.with_journal_data(completed())


def test_looking_at_a_job_is_always_possible(open_journal, folder, tmp_path):
    """
    A broken journal, one in an impossible place, or nonsense in a record: the job stays
    what the service says.
    """
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
        assert completed() == journal.with_journal_data(completed())


def test_last_is_the_last_run_in_the_order_of_submission(journal):
    """
    All its jobs; not those of the run before, nor requests without a job.  The order is
    that of submission, though the clock went back.
    """
    for at, run, job_id in ((0, "one", "a"), (-1, "two", "c"), (-2, "two", "b")):
        keep(journal, job_id, run=run, created_at=NOW + at * DAY)
    journal.begin(record(run="two", state="unknown"))

    assert ["c", "b"] == journal.last_run_jobs()


def test_a_last_run_without_an_answer_is_no_earlier_one(journal):
    """
    What is meant by it could be cancelled, or saved under its name.
    """
    keep(journal, "a", run="one")
    journal.begin(record(run="two", state="unknown"))

    assert ([], True) == (journal.last_run_jobs(), journal.is_last_unconfirmed())


def test_each_service_has_its_own_last(open_journal):
    """
    The sandbox does not hide the jobs that were paid for.
    """
    paid, free = open_journal("https://api.krea.ai"), open_journal("sandbox")
    keep(paid, "paid", run="one", service="https://api.krea.ai")
    keep(free, "free", run="two", service="sandbox")

    assert (["paid"], ["free"]) == (paid.last_run_jobs(), free.last_run_jobs())
    assert [] == open_journal("https://other.test").last_run_jobs()
    assert "sandbox" == paid.other_service()
    assert "https://api.krea.ai" == free.other_service()
    assert open_journal("https://other.test").other_service()


def test_a_beginning_finds_the_jobs_that_start_so(journal):
    """
    Of this service; characters that mean something to SQL mean themselves.
    """
    for job_id in ("job_1a", "job_1b", "jobX1c"):
        keep(journal, job_id)
    keep(journal, "job_1d", service="other")

    assert ["job_1a", "job_1b"] == journal.jobs_with_prefix("job_1")
    assert [] == journal.jobs_with_prefix("%")


def test_before_the_first_request_nothing_is_known(journal, folder):
    """
    And nothing is made to find that out.
    """
    assert ([], [], None) == (
        journal.last_run_jobs(),
        journal.jobs_with_prefix("x"),
        journal.other_service(),
    )
    assert not folder.exists()


def test_no_secret_is_on_disk(journal, database, folder):
    """
    No signature, no key of a webhook, no picture sent inline: neither
    while the journal is open, nor after.
    """
    secret = {
        "prompt": "an owl as in https://a.test/x?canary",
        "image_urls": ["https://canary:canary@a.test/x.png?X-Amz-Signature=canary"],
        "style": {"url": "data:text/plain,canary"},
    }
    made = record(secret, webhook="https://h.test/hook?key=canary#canary")
    journal.begin(made)
    journal.accepted(made.record, "job-1")
    journal.ended(completed(), files=[saved(url=f"{URL}?X-Amz-Signature=canary")])
    while_open = bytes_of(folder)
    database.close()

    assert b"an owl as in" in while_open
    assert b"canary" not in while_open + bytes_of(folder)
    assert URL == journal.with_journal_data(completed()).files[0].url
