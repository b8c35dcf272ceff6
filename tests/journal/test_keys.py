"""
A key is claimed once, whoever asks for it.
"""

from __future__ import annotations

import threading

import pytest
from journal.recorded import DAY, NOW, record, rows

from krea_cli.api.models import Job, SavedFile
from krea_cli.errors import JournalError
from krea_cli.journal import journal as journal_module
from krea_cli.journal.journal import Journal
from krea_cli.journal.keys import JournalKeys
from krea_cli.journal.queries import JournalQueries

FILE = SavedFile(
    path="/a.png", url="https://x", media_type="image/png", size_bytes=5, sha256="f1"
)


@pytest.fixture
def keys(database):
    return JournalKeys(database, "service")


@pytest.fixture
def journal(database):
    return Journal(database, "service")


def test_claim_free_key_keeps_the_record(keys, folder):
    made = record()

    assert keys.claim(made, "k1") is None

    assert [(made.record, "k1", "intended")] == rows(
        folder, "SELECT record, key, state FROM records"
    )


def test_claim_taken_key_keeps_nothing_and_names_the_holder(keys, journal, folder):
    first = record()
    keys.claim(first, "k1")
    journal.accepted(first.record, "job-1")

    holder = keys.claim(record(), "k1")

    assert (first.record, "job-1") == (holder.record.record, holder.job_id)
    assert 1 == len(rows(folder))


def test_claim_of_what_is_known_pays_again(keys, journal, folder):
    first, second = record(), record()
    keys.claim(first, "k1")
    journal.accepted(first.record, "job-1")

    assert keys.claim(second, "k1", known=[first.record]) is None
    assert second.record == keys.claim(record(), "k1", known=["job-1"]).record.record
    assert 2 == len(rows(folder))


def test_claim_is_free_again_once_it_was_refused(keys, journal):
    first = record()
    keys.claim(first, "k1")
    journal.refused(first.record)

    assert keys.claim(record(), "k1") is None


def test_claim_of_another_key_or_service_is_free(keys, database):
    keys.claim(record(), "k1")

    assert keys.claim(record(), "k2") is None
    elsewhere = JournalKeys(database, "sandbox")
    assert elsewhere.claim(record(service="sandbox"), "k1") is None


def test_claim_at_the_same_moment_is_given_once(open_database):
    barrier = threading.Barrier(4)
    results = []

    def claim():
        keys = JournalKeys(open_database(), "service")
        barrier.wait()
        results.append(keys.claim(record(), "k1"))

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == results.count(None)
    assert 1 == len({each.record.record for each in results if each})


def test_holders_have_the_newest_first_and_their_files(keys, journal):
    first, second = record(), record()
    keys.claim(first, "k1")
    journal.accepted(first.record, "job-1")
    journal.ended(Job(job_id="job-1", status="completed"), files=[FILE])
    keys.claim(second, "k1", known=["job-1"])

    found = keys.holders(["k1", "none"])

    assert ["k1"] == list(found)
    assert [second.record, first.record] == [each.record.record for each in found["k1"]]
    assert ("f1",) == found["k1"][1].file_sha256s


def test_holders_of_many_keys_are_found(keys):
    for number in range(3):
        keys.claim(record(), f"k{number * 600}")

    found = keys.holders(f"k{number}" for number in range(1300))

    assert {"k0", "k600", "k1200"} == set(found)


def test_holders_without_a_journal_do_not_begin_one(keys, folder):
    assert {} == keys.holders(["k1"])
    assert not folder.exists()


def test_pruned_record_still_has_its_key(keys, journal, monkeypatch, folder):
    monkeypatch.setattr(journal_module, "MAX_RECORDS", 1)
    first = record()
    keys.claim(first, "k1")
    journal.accepted(first.record, "job-1")
    journal.ended(Job(job_id="job-1", status="completed"), files=[FILE])
    for number in range(3):
        keys.claim(record(created_at=NOW + DAY), f"other {number}")
    assert first.record not in dict(rows(folder, "SELECT record, 1 FROM records"))

    [holder] = keys.holders(["k1"])["k1"]

    assert (None, "job-1", ("f1",)) == (
        holder.record,
        holder.job_id,
        holder.file_sha256s,
    )
    assert "job-1" == keys.claim(record(), "k1").job_id
    assert keys.claim(record(), "k1", known=["job-1"]) is None


def test_damaged_record_is_not_paid_for_again(keys, database):
    keys.claim(record(), "k1")
    with database.writing() as db:
        db.execute("UPDATE records SET files = 'x'")

    with pytest.raises(JournalError):
        keys.claim(record(), "k1")
    with pytest.raises(JournalError):
        keys.holders(["k1"])


def test_closed_names_requests_that_are_no_longer_tracked(
    keys, journal, database, folder
):
    first, second = record(state="unknown"), record(state="unknown")
    for made in (first, second):
        journal.begin(made)
    history = JournalQueries(database, "service", now=lambda: NOW, damaged=print)

    before = keys.closed([first.record])
    history.claim(first)
    deleted = history.close(first.record)

    assert (set(), 1) == (before, deleted)
    assert {first.record} == keys.closed([first.record, second.record])
    assert set() == JournalKeys(database, "other").closed([first.record])
    assert [(second.record,)] == rows(folder, "SELECT record FROM records")
