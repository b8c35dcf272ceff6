from __future__ import annotations

import threading

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from journal.recorded import record

from krea_cli.jobs.run_tracker import RunTracker

JOBS = st.sampled_from([f"j{n}" for n in range(6)])
STATES = ("pending", "unreported", "reported", "without result")


class Tracking(RuleBasedStateMachine):
    """
    A run in which anything happens; `states` has what became of each submitted job.
    """

    def __init__(self):
        super().__init__()
        self.tracker = RunTracker()
        self.states = {}
        self.indexed = []

    @rule(job_id=JOBS)
    def submit(self, job_id):
        self.tracker.submitted(job_id)
        if self.states.get(job_id) in (None, "without result"):
            self.states[job_id] = "pending"

    @rule(job_id=JOBS)
    def save(self, job_id):
        if self.states.get(job_id) == "pending":
            self.tracker.assigned_index(job_id)
            self.tracker.saved(job_id)
            self.states[job_id] = "unreported"
            self.indexed.append(job_id)

    @rule(job_id=JOBS)
    def end_without_result(self, job_id):
        if self.states.get(job_id) == "pending":
            self.tracker.ended_without_result(job_id)
            self.states[job_id] = "without result"

    @rule()
    def report_saved(self):
        self.tracker.reported_saved()
        self._become("reported", "unreported")

    @rule()
    def report(self):
        self.tracker.reported()
        self._become("reported", "unreported", "pending")

    @rule(order=st.permutations([f"j{n}" for n in range(6)]))
    def sort(self, order):
        self.tracker.set_order(order)

    def _become(self, state, *before):
        for job_id, each in self.states.items():
            if each in before:
                self.states[job_id] = state

    def _of(self, *states):
        return {job_id for job_id, each in self.states.items() if each in states}

    @invariant()
    def each_job_is_in_one_state(self):
        summary = self.tracker.summary()

        assert self._of("pending") == set(summary.pending)
        assert self._of("unreported") == set(summary.unreported)
        assert len(set(summary.pending)) == len(summary.pending)

    @invariant()
    def each_wanted_job_has_one_place(self):
        """
        Those with an index come first, in the order of their indexes.
        """
        order = list(self.tracker.summary().order)

        assert self._of("pending", "unreported", "reported") == set(order)
        assert len(set(order)) == len(order)
        assert self.indexed == order[: len(self.indexed)]


TestTracking = Tracking.TestCase
TestTracking.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


def test_tracker_submitted_job_keeps_its_state():
    """
    A second request may be answered with the same job.
    """
    tracker = RunTracker()
    tracker.submitted("j1", "j2")
    tracker.saved("j1")
    tracker.submitted("j1")

    assert ("j2",) == tracker.summary().pending


def test_tracker_requested_job_runs_only_once_the_service_has_it():
    tracker = RunTracker()
    tracker.requested("j1", "j2")
    tracker.submitted("j2")

    summary = tracker.summary()

    assert (("j1", "j2"), ["j2"]) == (summary.pending, summary.running)


def test_tracker_order_is_that_of_the_records_and_others_follow():
    tracker = RunTracker()
    tracker.submitted("j3", "j9", "j1", "j2")

    tracker.set_order(["j1", "j2", "j3"])

    assert ("j1", "j2", "j3", "j9") == tracker.summary().order
    assert ("j1", "j2", "j3", "j9") == tracker.summary().pending


def test_tracker_indexed_jobs_keep_their_numbers():
    tracker = RunTracker()
    tracker.submitted("j1", "j2", "j3")

    tracker.assigned_index("j3")
    tracker.assigned_index("j1")

    assert ("j3", "j1", "j2") == tracker.summary().order


def test_tracker_job_without_result_uses_up_no_index():
    tracker = RunTracker()
    tracker.submitted("j1", "j2")

    tracker.ended_without_result("j1")

    assert ("j2",) == tracker.summary().order


def test_tracker_batch_is_of_several():
    tracker = RunTracker()

    tracker.expect(1)
    assert not tracker.summary().is_batch

    tracker.expect(2)
    assert tracker.summary().is_batch


def test_tracker_unconfirmed_requests_stay_until_resolved():
    tracker = RunTracker()
    one, two = record(record="r1"), record(record="r2")

    for each in (one, two, one):
        tracker.unconfirmed(each)
    assert (one, two) == tracker.summary().unconfirmed

    tracker.resolved(one)
    tracker.resolved(one)
    assert (two,) == tracker.summary().unconfirmed


def test_tracker_not_submitted_is_the_latest_count():
    tracker = RunTracker()

    tracker.not_submitted(3)
    tracker.not_submitted(1)

    assert 1 == tracker.summary().not_submitted


def test_tracker_many_threads_lose_no_job():
    """
    A summary in the middle of a change is whole, too.
    """
    tracker, failures = RunTracker(), []
    threads = [
        threading.Thread(target=live, args=(tracker, at, failures)) for at in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    summary = tracker.summary()
    assert [] == failures
    assert (0, 800, 800) == (
        len(summary.pending),
        len(summary.unreported),
        len(summary.order),
    )


def live(tracker, at, failures):
    try:
        for number in range(100):
            job_id = f"{at}-{number}"
            tracker.submitted(job_id)
            tracker.set_order([job_id])
            tracker.saved(job_id)
            assert job_id in tracker.summary().order
    except BaseException as exc:  # noqa: BLE001  (the test looks at it)
        failures.append(exc)
