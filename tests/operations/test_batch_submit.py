from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from journal.recorded import record
from operations.stubs import Console, Script, job

from krea_cli.errors import (
    BalanceError,
    DuplicateJobIdError,
    JournalError,
    RateLimitError,
    UnconfirmedSubmissionError,
    WaitTimeoutError,
)
from krea_cli.jobs.run_tracker import RunTracker
from krea_cli.operations.batch_submit import submit_batch
from krea_cli.runtime.signals import Interrupted

LOST = record(record="r-lost", run="run")


class Batch:
    """
    Submits with these outcomes; `order` is what the journal has of the run.
    """

    def __init__(self, time, *outcomes, deadline=600.0):
        self.tracker = RunTracker()
        self.order = []
        self.script = Script(*outcomes)
        self.resolved = Script()
        self.sent = 0
        self.before = lambda: None
        self._time = time
        self._deadline = deadline

    def submit(self, request, run, *, deadline, before_attempt):
        if self.sent:
            self.before()
        before_attempt()
        self.sent += 1
        try:
            made = self.script(request, run, deadline)
        except UnconfirmedSubmissionError:
            self.tracker.unconfirmed(LOST)
            raise
        self.tracker.submitted(made.job_id)
        return made

    def run_jobs(self, _run):
        if isinstance(self.order, Exception):
            raise self.order
        return self.order

    def resolve(self, error, deadline):
        made = self.resolved(error, deadline)
        self.tracker.submitted(made.job_id)
        self.tracker.resolved(LOST)
        return made

    def __call__(self, count):
        resolver = SimpleNamespace(
            submit=lambda submit, deadline: submit(), resolve=self.resolve
        )
        return submit_batch(
            "request",
            count,
            self,
            deadline=self._deadline,
            journal=self,
            resolver=resolver,
            tracker=self.tracker,
            console=Console(),
            clock=self._time.clock,
        )


@contextmanager
def one_by_one(make, count, *, passing=1):
    """
    A batch of which `passing` requests follow the first; the others are kept until the
    batch has stopped.
    """
    ready, stopped = threading.Event(), threading.Event()
    left = [ready] * passing

    def before():
        (left.pop() if left else stopped).wait(5)

    make.before = before
    with make(count) as batch:
        stop = batch.stop

        def stop_and_tell():
            stop()
            stopped.set()

        batch.stop = stop_and_tell
        ready.set()
        yield batch


def ids(jobs):
    return [job and job.job_id for job in jobs]


def words(batch):
    return [error.message for error in batch.errors]


def lost():
    return UnconfirmedSubmissionError("Nobody knows.", record=LOST.record)


def test_batch_of_one_is_submitted_once(time):
    make = Batch(time, job("j1"))

    with make(1) as batch:
        batch.wait()

    assert (1, ["j1"], []) == (make.sent, ids(batch.slots()), batch.errors)
    summary = make.tracker.summary()
    assert (("j1",), False, 0) == (
        summary.pending,
        summary.is_batch,
        summary.not_submitted,
    )


def test_batch_of_many_submits_each_in_the_same_run(time):
    make = Batch(time, *(job(f"j{n}") for n in range(5)))

    with make(5) as batch:
        batch.wait()
        assert not batch.is_open
        assert 0 == batch.unsent

    assert {f"j{n}" for n in range(5)} == set(ids(batch.slots()))
    assert make.tracker.summary().is_batch
    assert 1 == len({args for args, _ in make.script.calls})
    assert (5, 5) == (batch.count, make.sent)


def test_batch_first_error_keeps_the_others_here(time):
    make = Batch(time, BalanceError("No money."))

    with make(3) as batch:
        batch.wait()

    assert 1 == make.sent
    assert ["No money. 2 more requests were not submitted."] == words(batch)
    assert 0 == make.tracker.summary().not_submitted
    assert [] == batch.slots()


def test_batch_of_one_error_counts_no_others(time):
    make = Batch(time, BalanceError("No money."))

    with make(1) as batch:
        pass

    assert ["No money."] == words(batch)


def test_batch_of_two_says_that_one_was_not_sent(time):
    make = Batch(time, BalanceError("No money."))

    with make(2) as batch:
        pass

    assert ["No money. 1 more request was not submitted."] == words(batch)


def test_batch_error_later_stops_the_rest(time):
    make = Batch(time, job("j1"), BalanceError("No money."))

    with one_by_one(make, 20) as batch:
        batch.wait()

    assert (2, ["j1"]) == (make.sent, ids(batch.slots()))
    assert ["No money. 18 more requests were not submitted."] == words(batch)


def test_batch_slots_follow_the_records(time):
    """
    A record whose job may still come is None while requests are on their way.
    """
    make = Batch(time, job("j1"), job("j2"), job("j3"))
    make.order = ["j3", "j2", "j1"]
    ready = threading.Event()
    make.before = ready.wait

    with make(3) as batch:
        assert [None, None, "j1"] == ids(batch.slots())
        assert (True, 2) == (batch.is_open, batch.unsent)
        ready.set()
        batch.wait()

    assert ["j3", "j2", "j1"] == ids(batch.slots())
    assert ("j3", "j2", "j1") == make.tracker.summary().order


def test_batch_slots_without_a_journal_have_every_job(time):
    make = Batch(time, job("j1"), job("j2"))
    make.order = JournalError("It cannot be read.")

    with make(2) as batch:
        batch.wait()

    assert ["j1", "j2"] == ids(batch.slots())


def test_batch_unconfirmed_in_the_middle_becomes_the_job_that_was_found(time):
    make = Batch(time, job("j1"), lost())
    make.order = ["j1", None]
    make.resolved = Script(job("j2"))

    with make(2) as batch:
        batch.pool.rest()
        assert batch.has_unconfirmed
        assert ["j1", None] == ids(batch.slots())
        batch.wait()
        assert not batch.has_unconfirmed

    [(error, deadline), _] = make.resolved.calls[0]
    assert (LOST.record, 600.0) == (error.record, deadline)
    assert ["j1", "j2"] == ids(batch.slots())
    assert [] == batch.errors


def test_batch_unconfirmed_that_stays_so_is_an_error_beside_the_jobs(time):
    make = Batch(time, job("j1"), lost())
    make.resolved = Script(lost())

    with make(2) as batch:
        batch.wait()

    assert ["j1"] == ids(batch.slots())
    assert ["Nobody knows."] == words(batch)
    assert [LOST] == list(make.tracker.summary().unconfirmed)


def test_batch_late_by_the_deadline_says_what_was_sent(time):
    """
    The deadline itself is too late.
    """

    def late():
        time.elapsed = 600.0
        return job("j1")

    make = Batch(time, late)

    with make(3) as batch:
        batch.wait()

    assert 1 == make.sent
    assert [
        "Timed out after submitting 1 of 3 jobs. The others were not submitted."
    ] == words(batch)
    assert isinstance(batch.errors[0], WaitTimeoutError)


def test_batch_just_in_time_is_sent(time):
    def nearly_late():
        time.elapsed = 599.9
        return job("j1")

    make = Batch(time, nearly_late, job("j2"))

    with make(2) as batch:
        batch.wait()

    assert (2, []) == (make.sent, batch.errors)


def test_batch_ended_by_a_signal_sends_nothing_more(time):
    """
    The tracker has the job that is paid for, and how many are not.
    """
    make = Batch(time, job("j1"))

    with pytest.raises(Interrupted), one_by_one(make, 4, passing=0) as batch:
        raise Interrupted(signal.SIGINT)

    summary = make.tracker.summary()
    assert (1, ("j1",), 3) == (make.sent, summary.pending, summary.not_submitted)
    assert 0 == batch.unsent


def test_batch_interrupted_in_the_first_request_counts_it_as_sent(time):
    """
    What became of that one is told by others, if anything did.
    """
    make = Batch(time, Interrupted(signal.SIGTERM))

    with pytest.raises(Interrupted), make(3):
        pytest.fail("it went on")

    assert 2 == make.tracker.summary().not_submitted


def test_batch_job_of_another_record_is_not_counted_as_a_job(time):
    """
    The service answered the second request with a job that an earlier run has.
    """
    taken = DuplicateJobIdError("Taken.", record=LOST.record, taken_id="j9")
    make = Batch(time, job("j1"), taken)
    make.tracker.submitted("j9")
    make.resolved = Script(taken)

    with one_by_one(make, 3) as batch:
        batch.wait()

    assert ["Taken. 1 more request was not submitted."] == words(batch)


def both(*errors):
    """
    Errors of requests that are on their way at the same time.
    """
    meeting = threading.Barrier(len(errors))

    def outcome(error):
        def meet():
            meeting.wait(5)
            return error

        return meet

    return [outcome(error) for error in errors]


def test_batch_two_kinds_of_errors_are_both_kept(time):
    make = Batch(
        time, job("j1"), *both(BalanceError("No money."), RateLimitError("Too many."))
    )

    with make(3) as batch:
        batch.wait()

    assert {"No money.", "Too many."} == set(words(batch))


def test_batch_errors_of_one_kind_are_told_once(time):
    make = Batch(
        time, job("j1"), *both(BalanceError("No money."), BalanceError("No money."))
    )

    with make(3) as batch:
        batch.wait()

    assert ["No money. 1 more request was rejected or not submitted."] == words(batch)


def test_batch_errors_of_one_kind_about_two_jobs_are_both_kept(time):
    """
    Each of them is about a job that is paid for.
    """
    errors = (JournalError("Full.", job_id=each) for each in ("j2", "j3"))
    make = Batch(time, job("j1"), *both(*errors))

    with make(3) as batch:
        batch.wait()

    assert {"j2", "j3"} == {error.job_id for error in batch.errors}


def test_batch_bug_in_a_thread_is_raised_and_stops_the_rest(time):
    make = Batch(time, job("j1"), ZeroDivisionError())

    with pytest.raises(ZeroDivisionError), make(2) as batch:
        batch.wait()

    assert 0 == batch.unsent
