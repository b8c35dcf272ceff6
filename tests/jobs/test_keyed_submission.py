"""
A request is submitted once, whichever process does it.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from journal.recorded import record, rows

from krea_cli.api.models import Job
from krea_cli.errors import RequestRejectedError, UnconfirmedSubmissionError
from krea_cli.jobs.keyed_submission import KeyedSubmitter
from krea_cli.journal.journal import Journal
from krea_cli.journal.keys import JournalKeys


class Submitter:
    """
    Submits as `RequestSubmitter` does: a record first, then the request.
    """

    def __init__(self, journal, error=None):
        self.journal = journal
        self.error = error
        self.bills = 0

    def submit(self, request, run, *, deadline, before_attempt, save_record):
        before_attempt()
        intent = record(run=run)
        save_record(intent)
        if self.error:
            self.journal.refused(intent.record)
            raise self.error
        self.bills += 1
        job_id = f"job-{self.bills}"
        self.journal.accepted(intent.record, job_id)
        return Job(job_id=job_id, status="queued")


@pytest.fixture
def keys(database):
    return JournalKeys(database, "service")


@pytest.fixture
def journal(database):
    return Journal(database, "service")


@pytest.fixture
def submit(keys, journal, time):
    """
    Submits a request; what it was done by is at hand as `submitter`.
    """

    def make(key="k1", *, error=None, before_attempt=lambda: None, known=()):
        make.submitter.error = error
        keyed = KeyedSubmitter(
            keys=keys,
            fetch=lambda job_id: Job(job_id=job_id, status="processing"),
            clock=time.clock,
        )
        return keyed.submit(
            make.submitter,
            "the request",
            key,
            run="run",
            deadline=100.0,
            known=known,
            before_attempt=before_attempt,
        )

    make.submitter = Submitter(journal)
    return make


def test_submit_new_key_pays_and_names_the_record(submit, folder):
    found = submit()

    assert (True, "job-1") == (found.is_new, found.job.job_id)
    assert [(found.record, "k1")] == rows(folder, "SELECT record, key FROM records")


def test_submit_key_again_gives_the_first_job(submit):
    first = submit()

    again = submit()

    assert (False, "job-1", "processing") == (
        again.is_new,
        again.job.job_id,
        again.job.status,
    )
    assert first.record == again.record
    assert 1 == submit.submitter.bills


def test_submit_known_key_pays_again(submit):
    first = submit()

    again = submit(known=[first.record])

    assert (True, "job-2") == (again.is_new, again.job.job_id)


def test_submit_rejected_request_leaves_the_key_free(submit):
    with pytest.raises(RequestRejectedError):
        submit(error=RequestRejectedError("No."))

    assert submit().is_new


def test_submit_unconfirmed_key_is_never_sent_again(submit, keys, journal):
    lost = record()
    keys.claim(lost, "k1")
    journal.unconfirmed(lost.record)

    with pytest.raises(UnconfirmedSubmissionError) as caught:
        submit()

    assert lost.record == caught.value.record
    assert 0 == submit.submitter.bills


def test_submit_waits_for_another_process_that_submits_it_now(
    submit, keys, journal, time
):
    other = record()
    keys.claim(other, "k1")

    def gate():
        if time.elapsed >= 1.0:
            journal.accepted(other.record, "job-of-other")

    found = submit(before_attempt=gate)

    assert (False, "job-of-other") == (found.is_new, found.job.job_id)
    assert 1.0 <= time.elapsed < 2.0


def test_submit_takes_over_when_the_other_process_was_rejected(
    submit, keys, journal, time
):
    other = record()
    keys.claim(other, "k1")

    def gate():
        if time.elapsed >= 1.0:
            journal.refused(other.record)

    assert submit(before_attempt=gate).is_new


def test_submit_of_a_dead_process_is_unconfirmed(submit, keys):
    dead = replace(record(), holder="", created_at=record().created_at - 3600)
    keys.claim(dead, "k1")

    with pytest.raises(UnconfirmedSubmissionError):
        submit()


def test_submit_gate_ends_the_wait(submit, keys, time):
    keys.claim(record(), "k1")

    def gate():
        if time.elapsed >= 1.0:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        submit(before_attempt=gate)
