"""
A run over a plan, against a service of a few lines that counts its bills.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
from batch.lines import SERVICE, file, line, sha256, wanted

from krea_cli.api.models import Job
from krea_cli.batch.lock import Lock, merged
from krea_cli.batch.plan import Planner, Sign
from krea_cli.batch.results_on_disk import ResultsOnDisk
from krea_cli.errors import (
    BalanceError,
    ConnectionFailedError,
    ExitCode,
    InputError,
    JobFailedError,
    JournalError,
    NoTokenError,
    RequestRejectedError,
    StorageError,
    UnconfirmedSubmissionError,
)
from krea_cli.jobs.keyed_submission import KeyedJob
from krea_cli.jobs.polling import Poller
from krea_cli.operations import batch_run
from krea_cli.operations.batch_outcome import (
    BatchLimits,
    BatchTools,
    ItemSeen,
    ItemSubmitted,
)
from krea_cli.operations.batch_run import BatchRun

SOURCE = "pictures.toml"


class Stub:
    """
    The service, the disk and the lock of a run.

    `rejects` has an error for each output that is not accepted, `ends` the status of a
    job where it does not complete, and `unsaved` the error of a result that cannot be
    saved.  A job runs for `seconds`.
    """

    def __init__(self, time, folder, lines=()):
        self.time = time
        self.disk = ResultsOnDisk(folder)
        self.lines = list(lines)
        self.rejects, self.ends, self.unsaved = {}, {}, {}
        self.seconds = 1.0
        self.submitted, self.saved, self.copied, self.fetched = [], [], [], []
        self.jobs = {each.job: (each.output, 0.0) for each in lines if each.job}
        self.lists = 0
        self._lock = threading.Lock()

    def plan(self, items, **options):
        return Planner(
            lock=Lock.of(self.lines, SERVICE),
            disk=self.disk,
            source="pictures.toml",
            **options,
        ).plan(items)

    def submit(self, step, gate):
        gate()
        with self._lock:
            if error := self.rejects.get(step.output):
                raise error
            job_id = f"new-{len(self.submitted)}"
            self.submitted.append(step.output)
            self.jobs[job_id] = (step.output, self.time.elapsed)
            job = Job(job_id=job_id, status="queued", cost_usd=0.15)
            return KeyedJob(job=job, record=f"record-{job_id}", is_new=True)

    def fetch(self, job_id):
        self.fetched.append(job_id)
        output, began = self.jobs[job_id]
        if self.time.elapsed < began + self.seconds:
            return Job(job_id=job_id, status="processing")
        status = self.ends.get(output, "completed")
        urls = ("https://x/a.png",) if status == "completed" else ()
        return Job(job_id=job_id, status=status, urls=urls)

    def fetch_many(self, job_ids):
        self.lists += 1
        return {each: self.fetch(each) for each in job_ids}

    def save(self, step, job):
        if error := self.unsaved.get(step.output):
            raise error
        self.saved.append((step.output, job.job_id))
        return (file(step.output),)

    def copy(self, step):
        self.copied.append((step.copy_of, step.output))
        return (file(step.output),)

    def record(self, lines):
        with self._lock:
            self.lines += lines

    def run(self, plan, **options):
        run = self.make_run(plan, **options)
        self.events = list(run.events())
        return run

    def make_run(self, plan, *, deadline=float("inf"), waits=True):
        clock = self.time.clock

        def poller(sleep):
            return Poller(
                self.fetch,
                deadline=deadline,
                clock=clock._replace(sleep=sleep),
                seconds_until_next_poll=lambda _: 0.5,
                fetch_many=self.fetch_many,
            )

        return BatchRun(
            plan.steps,
            BatchTools(
                submit=self.submit,
                fetch=self.fetch,
                fetch_many=self.fetch_many,
                save=self.save,
                copy=self.copy,
                record=self.record,
                poller=poller,
                clock=clock,
                time_text=lambda: f"2026-11-28T10:{self.time.elapsed:05.1f}Z",
            ),
            BatchLimits(
                source="pictures.toml", service=SERVICE, deadline=deadline, waits=waits
            ),
        )

    def states(self, run):
        return {output: each.state for output, each in run.outcomes.items()}

    @property
    def kept(self):
        return {
            each.output: (each.state, each.job, each.attempt)
            for each in merged(self.lines)
        }


@pytest.fixture
def stub(time, tmp_path):
    return partial(Stub, time, tmp_path)


def items(count):
    return [wanted(f"{number}.png", f"prompt {number}") for number in range(count)]


def test_run_makes_every_item_once_and_keeps_each_in_the_lock(stub):
    service = stub()

    run = service.run(service.plan(items(20)))

    assert {f"{n}.png": "made" for n in range(20)} == service.states(run)
    assert sorted(f"{n}.png" for n in range(20)) == sorted(service.submitted)
    assert {"completed"} == {state for state, _, _ in service.kept.values()}
    assert all(outcome.is_paid for outcome in run.outcomes.values())
    again = service.plan(items(20))
    assert {Sign.FETCH} == {step.sign for step in again.steps}


def test_run_records_a_job_before_it_has_finished(stub):
    service = stub()

    service.run(service.plan(items(1)))

    states = [each.state for each in service.lines]
    assert ["submitted", "completed"] == states
    assert "record-new-0" == service.lines[0].record


def test_run_starts_in_the_order_of_the_file(stub):
    service = stub()
    plan = service.plan(items(40))

    service.run(plan)

    places = [int(output.partition(".")[0]) for output in service.submitted]
    # A thread may be late on a busy machine; the others go on in order.
    near = [abs(place - at) <= 16 for at, place in enumerate(places)]
    assert near.count(True) >= 36


def test_run_goes_on_after_a_request_that_is_rejected(stub):
    service = stub()
    service.rejects["1.png"] = RequestRejectedError("No such style.", status=422)

    run = service.run(service.plan(items(4)))

    assert "failed" == run.outcomes["1.png"].state
    assert 3 == list(service.states(run).values()).count("made")
    assert run.ended_by is None
    assert "1.png" not in service.kept


@pytest.mark.parametrize(
    "error",
    [
        NoTokenError("No token."),
        BalanceError("The balance is empty."),
        ConnectionFailedError("Unreachable."),
        JournalError("The disk is full."),
    ],
)
def test_run_stops_submitting_after_what_every_request_would_meet(stub, error):
    service = stub()
    service.rejects = {f"{number}.png": error for number in range(30, 200)}

    run = service.run(service.plan(items(200)))

    states = list(service.states(run).values())
    assert error is run.ended_by
    assert len(service.submitted) + states.count("unsubmitted") == 200
    assert 15 <= len(service.submitted) <= 30
    assert states.count("made") == len(service.submitted)
    assert not [each for each in run.outcomes.values() if each.error]


def test_run_three_lost_responses_in_a_row_stop_it(stub):
    service = stub()
    lost = UnconfirmedSubmissionError("Lost.", record="r")
    service.rejects = {f"{number}.png": lost for number in range(100)}

    run = service.run(service.plan(items(100)))

    states = list(service.states(run).values())
    assert lost is run.ended_by
    assert [] == service.submitted
    # Others were on their way when the third one was lost.
    assert 3 <= states.count("unconfirmed") <= 3 + 15
    assert states.count("unconfirmed") + states.count("unsubmitted") == 100
    assert {"unconfirmed"} == {state for state, _, _ in service.kept.values()}


def test_run_single_lost_response_does_not_stop_it(stub):
    service = stub()
    lost = UnconfirmedSubmissionError("Lost.", record="r")
    service.rejects["3.png"] = lost

    run = service.run(service.plan(items(10)))

    assert "unconfirmed" == run.outcomes["3.png"].state
    assert 9 == list(service.states(run).values()).count("made")
    assert ("unconfirmed", None, 1) == service.kept["3.png"]


def test_run_lost_responses_between_others_do_not_stop_it(stub):
    service = stub()
    lost = UnconfirmedSubmissionError("Lost.", record="r")
    service.rejects = {f"{number}.png": lost for number in (0, 30, 60, 90)}

    run = service.run(service.plan(items(120)))

    states = list(service.states(run).values())
    assert run.ended_by is None
    assert (4, 116) == (states.count("unconfirmed"), states.count("made"))


def test_run_job_that_is_accepted_and_not_recorded_is_in_the_lock(stub):
    service = stub()
    service.rejects["0.png"] = JournalError("Disk full.", job_id="job-lost")

    service.run(service.plan(items(1)))

    assert ("submitted", "job-lost", 1) == service.kept["0.png"]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_run_job_without_result_ends_its_item_alone(stub, status):
    service = stub()
    service.ends["1.png"] = status

    run = service.run(service.plan(items(3)))

    assert status == run.outcomes["1.png"].state
    assert status == service.kept["1.png"][0]
    assert run.outcomes["1.png"].error
    assert {"made"} == {run.outcomes[each].state for each in ("0.png", "2.png")}


def test_run_result_that_cannot_be_saved_stays_submitted_in_the_lock(stub):
    service = stub()
    service.unsaved["0.png"] = StorageError("Disk full.")

    run = service.run(service.plan(items(1)))

    assert "unsaved" == run.outcomes["0.png"].state
    assert ExitCode.STORAGE == run.outcomes["0.png"].error.exit_code
    assert "submitted" == service.kept["0.png"][0]
    assert Sign.WAIT == service.plan(items(1)).steps[0].sign


def test_run_earlier_jobs_are_saved_and_not_paid(stub):
    lines = [
        line(f"{n}.png", state, prompt=f"prompt {n}", job=f"job-{n}", record=f"r{n}")
        for n, state in enumerate(["submitted", "completed", "submitted"])
    ]
    service = stub(lines)

    run = service.run(service.plan(items(3)))

    assert [] == service.submitted
    assert {"fetched"} == set(service.states(run).values())
    assert 1 == service.lists
    assert not any(outcome.is_paid for outcome in run.outcomes.values())
    assert ("completed", "job-0", 1) == service.kept["0.png"]


def test_run_earlier_job_that_cannot_be_seen_is_polled_again(stub):
    service = stub([line("0.png", "submitted", prompt="prompt 0")])
    fetch, failures = service.fetch, [ConnectionFailedError("Away.")] * 3

    def flaky(job_id):
        if failures:
            raise failures.pop()
        return fetch(job_id)

    service.fetch = flaky

    run = service.run(service.plan(items(1)))

    assert "fetched" == run.outcomes["0.png"].state
    assert [] == failures
    assert any(isinstance(each, ItemSeen) and each.error for each in service.events)


def test_run_of_a_finished_batch_does_nothing(stub, tmp_path):
    (tmp_path / "0.png").write_text("x")
    saved = line("0.png", prompt="prompt 0", files=[file("0.png", sha256("x"))])
    service = stub([saved])

    run = service.run(service.plan(items(1)))

    assert {"0.png": "unchanged"} == service.states(run)
    assert [] == service.submitted == service.saved == service.fetched
    assert [saved] == service.lines


def test_run_equal_requests_are_one_job_under_each_name(stub):
    service = stub()
    same = [wanted(name, "the same") for name in ("a.png", "b.png", "c.png")]

    run = service.run(service.plan(same))

    assert ["a.png"] == service.submitted
    assert {"a.png": True, "b.png": False, "c.png": False} == {
        output: outcome.is_paid for output, outcome in run.outcomes.items()
    }
    assert {("completed", "new-0", 1)} == set(service.kept.values())
    assert {"a.png", "b.png", "c.png"} == {output for output, _ in service.saved}


def test_run_equal_requests_fail_together(stub):
    service = stub()
    service.rejects["a.png"] = RequestRejectedError("No.")
    same = [wanted(name, "the same") for name in ("a.png", "b.png")]

    run = service.run(service.plan(same))

    assert {"a.png": "failed", "b.png": "failed"} == service.states(run)


def chained():
    first = wanted("a.png", "first")
    second = wanted("b.png", "second", needs=[first])
    return [wanted("c.png", "third", needs=[second]), second, first]


def test_run_chain_is_made_in_its_order(stub):
    service = stub()

    run = service.run(service.plan(chained()))

    assert ["a.png", "b.png", "c.png"] == service.submitted
    assert {"made"} == set(service.states(run).values())
    events = [each for each in service.events if isinstance(each, ItemSubmitted)]
    assert ["a.png", "b.png", "c.png"] == [each.step.output for each in events]


def test_run_chain_goes_on_from_a_result_that_is_there(stub, tmp_path):
    (tmp_path / "a.png").write_text("x")
    service = stub([line("a.png", prompt="first", files=[file("a.png", sha256("x"))])])

    run = service.run(service.plan(chained()))

    assert ["b.png", "c.png"] == service.submitted
    assert "unchanged" == run.outcomes["a.png"].state


def test_run_chain_goes_on_from_a_result_that_is_fetched(stub):
    service = stub([line("a.png", "submitted", prompt="first")])

    service.run(service.plan(chained()))

    assert ["b.png", "c.png"] == service.submitted


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (RequestRejectedError("No."), "failed"),
        (UnconfirmedSubmissionError("Lost.", record="r"), "unconfirmed"),
    ],
)
def test_run_chain_ends_like_its_first_item(stub, error, state):
    service = stub()
    service.rejects["a.png"] = error

    run = service.run(service.plan(chained()))

    assert [] == service.submitted
    codes = {outcome.error.exit_code for outcome in run.outcomes.values()}
    assert {error.exit_code} == codes
    assert state == run.outcomes["a.png"].state
    assert "b.png was not made" in run.outcomes["b.png"].error.message


def test_run_chain_whose_first_job_fails_is_not_submitted(stub):
    service = stub()
    service.ends["a.png"] = "failed"

    run = service.run(service.plan(chained()))

    assert ["a.png"] == service.submitted
    assert all(isinstance(o.error, JobFailedError) for o in run.outcomes.values())


def test_run_without_waiting_ends_when_all_is_submitted(stub):
    service = stub()

    run = service.run(service.plan([*items(3), *chained()]), waits=False)

    states = service.states(run)
    assert ["submitted"] * 3 == [states[f"{n}.png"] for n in range(3)]
    assert ("submitted", "unsubmitted") == (states["a.png"], states["b.png"])
    assert [] == service.saved
    assert 0 == service.time.elapsed


def test_run_that_is_out_of_time_keeps_what_runs(stub):
    service = stub()
    service.seconds = 100.0

    run = service.run(service.plan([*items(2), *chained()]), deadline=5.0)

    states = service.states(run)
    assert ("running", "running", "unsubmitted") == (
        states["0.png"],
        states["a.png"],
        states["b.png"],
    )
    assert ExitCode.STILL_RUNNING == run.outcomes["0.png"].error.exit_code
    assert "submitted" == service.kept["0.png"][0]


def test_run_again_is_the_next_attempt(stub):
    service = stub([line("0.png", "failed", prompt="prompt 0", attempt=2)])

    service.run(service.plan(items(1), again=["failed"]))

    assert ("completed", "new-0", 3) in {
        (each.state, each.job, each.attempt) for each in merged(service.lines)
    }


def test_run_states_of_earlier_runs_stay(stub):
    lines = [
        line("0.png", "failed", prompt="prompt 0", job="j0", record="r0"),
        line("1.png", "cancelled", prompt="prompt 1", job="j1", record="r1"),
        line("2.png", "unconfirmed", prompt="prompt 2", record="r2"),
    ]
    service = stub(lines)

    run = service.run(service.plan(items(4)))

    assert ["failed", "cancelled", "unconfirmed", "made"] == [
        run.outcomes[f"{n}.png"].state for n in range(4)
    ]
    assert [ExitCode.JOB_FAILED, ExitCode.CANCELLED, ExitCode.UNKNOWN] == [
        run.outcomes[f"{n}.png"].error.exit_code for n in range(3)
    ]
    assert "r2" == run.outcomes["2.png"].error.record
    assert ["3.png"] == service.submitted


def test_run_conflicts_and_unusable_inputs_are_not_submitted(stub, tmp_path):
    (tmp_path / "0.png").write_text("by hand")
    service = stub([line("0.png", prompt="other", files=[file("0.png")])])
    broken = replace(wanted("x.png"), unusable=InputError("x.jpg is empty."))

    run = service.run(service.plan([*items(2), broken]))

    assert {"0.png": "conflict", "1.png": "made", "x.png": "unusable"} == (
        service.states(run)
    )


def test_run_copies_an_equal_result(stub, tmp_path):
    (tmp_path / "old.png").write_text("x")
    service = stub(
        [line("old.png", prompt="prompt 0", files=[file("old.png", sha256("x"))])]
    )

    run = service.run(service.plan(items(1)))

    assert [("old.png", "0.png")] == service.copied
    assert "fetched" == run.outcomes["0.png"].state
    assert ("completed", "job-1", 1) == service.kept["0.png"]


def test_run_key_that_another_process_took_is_not_paid_twice(stub):
    service = stub()
    submit = service.submit

    def taken(step, gate):
        return replace(submit(step, gate), is_new=False)

    service.submit = taken

    run = service.run(service.plan(items(1)))

    assert ("fetched", False) == (
        run.outcomes["0.png"].state,
        run.outcomes["0.png"].is_paid,
    )


def test_run_bug_in_a_thread_ends_the_run(stub):
    service = stub()

    def broken(step, gate):
        raise ZeroDivisionError

    service.submit = broken

    with pytest.raises(ZeroDivisionError):
        service.run(service.plan(items(1)))


def test_run_that_is_interrupted_knows_its_open_jobs_and_notes_cancelled_ones(stub):
    service = stub()
    service.seconds = 5.0
    run = service.make_run(service.plan(items(2)))
    events = run.events()
    while len(run.open_jobs()[0]) < 2:
        next(events)
    running, completed = run.open_jobs()
    run.note_cancelled(running[:1])
    events.close()

    assert ({"new-0", "new-1"}, []) == (set(running), completed)
    assert ["cancelled", "submitted"] == sorted(
        state for state, _, _ in service.kept.values()
    )


def test_run_with_lost_responses_only_stops_after_three_requests(stub):
    service = stub()
    lost = UnconfirmedSubmissionError("Lost.", record="r")
    service.rejects = {f"{number}.png": lost for number in range(40)}

    run = service.run(service.plan(items(40)))

    states = Counter(service.states(run).values())
    assert {"unconfirmed": 3, "unsubmitted": 37} == states


def test_run_tries_one_request_alone_first(stub):
    service = stub()
    service.rejects = {f"{n}.png": NoTokenError("No token.") for n in range(40)}
    tried = []
    submit = service.submit
    service.submit = lambda step, gate: (tried.append(step), submit(step, gate))[1]

    run = service.run(service.plan(items(40)))

    assert 1 == len(tried)
    assert {"unsubmitted"} == set(service.states(run).values())


@pytest.mark.timeout(10)
def test_run_wakes_up_for_a_report_at_once(stub, monkeypatch):
    service = stub()
    plan = service.plan(items(1))
    run = service.make_run(plan)
    monkeypatch.setattr(batch_run, "_STEP_SECONDS", 60.0)
    is_waiting = threading.Event()
    wait = batch_run._NewsQueue.wait

    def waiting(queue, seconds):
        is_waiting.set()
        return wait(queue, seconds)

    def report():
        is_waiting.wait()
        run._news.put(batch_run._News(plan.steps[0], is_stopped=True))

    monkeypatch.setattr(batch_run._NewsQueue, "wait", waiting)
    with run._submitting as pool:
        pool.start(report)
        with pytest.raises(batch_run._NewsError):
            run._sleep(60.0)


def test_news_queue_keeps_the_report_that_was_waited_for(stub):
    service = stub()
    first, second = (batch_run._News(step) for step in service.plan(items(2)).steps)
    queue = batch_run._NewsQueue()
    queue.put(first)
    queue.put(second)

    assert queue.wait(0.0)
    assert queue.wait(0.0)
    assert not queue.is_empty
    assert [first, second, None] == [queue.take() for _ in range(3)]
    assert queue.is_empty
    assert not queue.wait(0.0)
