from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from journal.recorded import NOW, record
from operations.stubs import Script, job

from krea_cli.api.models import JobPage
from krea_cli.errors import (
    JobDeletedError,
    JobNotVisibleYetError,
    NoTokenError,
    RequestRejectedError,
    ServerError,
    UnknownJobError,
    UsageError,
)
from krea_cli.jobs.cancel import cancel
from krea_cli.jobs.job_service import JobService


class Api:
    """
    Answers each fetch with the next of `states`; `refusal` is raised by a cancellation.
    """

    def __init__(self, *states, refusal=None, pages=()):
        self.job_script = Script(
            *(job("j1", s) if isinstance(s, str) else s for s in states), stays=True
        )
        self.asked, self.deadlines, self.cancelled = [], [], []
        self.pages = list(pages)
        self._refusal = refusal

    def job(self, job_id, *, deadline=None, wait_turn):
        wait_turn()
        self.asked.append(job_id)
        self.deadlines.append(deadline)
        return self.job_script()

    def cancel(self, job_id):
        self.cancelled.append(job_id)
        if self._refusal:
            raise self._refusal

    def jobs(self, *, limit, cursor, deadline, wait_turn):
        wait_turn()
        self.asked.append((limit, cursor, deadline))
        return self.pages.pop(0)


class Records:
    """
    Knows `record` of each job, and adds the model to it.
    """

    def __init__(self, record=None):
        self.record = record
        self.outcomes = []

    def with_journal_data(self, job):
        return replace(job, model="google/x")

    def find_if_readable(self, _job_id):
        return self.record

    def record_outcome(self, job, *, files=()):
        self.outcomes.append((job.job_id, job.status, job.model))


def service(api, time, known=None):
    records = Records(known)
    return JobService(lambda: api, records, time.clock), records


def page(*jobs, cursor=None):
    return JobPage(jobs=jobs, cursor=cursor, clock_skew=None)


UNKNOWN = UnknownJobError("There is no job j1.")


def test_fetch_adds_what_the_journal_knows(time):
    api = Api("queued")
    jobs, records = service(api, time)

    fetched = jobs.fetch("j1", deadline=9.0)

    assert ("queued", "google/x") == (fetched.status, fetched.model)
    assert (["j1"], [9.0], []) == (api.asked, api.deadlines, records.outcomes)


def test_fetch_of_a_job_that_nobody_knows(time):
    jobs, _ = service(Api(UNKNOWN), time)

    with pytest.raises(UnknownJobError):
        jobs.fetch("j1")


@pytest.mark.parametrize(
    ("age", "error"),
    [(0, JobNotVisibleYetError), (29.9, JobNotVisibleYetError), (30, JobDeletedError)],
)
def test_fetch_of_a_job_that_only_the_journal_knows(time, age, error):
    known = record(job_id="j1", state="submitted", created_at=time.wall() - age)
    jobs, _ = service(Api(UNKNOWN), time, known)

    with pytest.raises(error) as caught:
        jobs.fetch("j1")

    assert "j1" == caught.value.job_id


def test_fetch_of_a_cancelled_job_that_was_deleted(time):
    known = record(job_id="j1", state="cancelled", created_at=NOW)
    jobs, _ = service(Api(UNKNOWN), time, known)

    assert "cancelled" == jobs.fetch("j1").status


def test_fetch_without_a_token_raises_when_it_is_due(time):
    def no_token():
        raise NoTokenError("No token.")

    jobs = JobService(no_token, Records(), time.clock)

    with pytest.raises(NoTokenError):
        jobs.fetch("j1")


def test_fetch_many_reads_the_list_until_all_are_found(time):
    """
    Others in it, and those whose result is not there yet, are left out.
    """
    api = Api(
        pages=[
            page(job("j1"), job("j8"), cursor="next"),
            page(
                job("j2", "completed", urls=()), job("j3", "completed"), cursor="more"
            ),
            page(cursor=None),
        ]
    )
    jobs, _ = service(api, time)

    found = jobs.fetch_many(["j1", "j2", "j3"], deadline=9.0)

    assert {"j1": "google/x", "j3": "google/x"} == {
        job_id: each.model for job_id, each in found.items()
    }
    assert [(100, None, 9.0), (100, "next", 9.0)] == api.asked


def test_fetch_many_ends_when_all_are_found(time):
    api = Api(pages=[page(job("j1"), job("j2"), cursor="next")])
    jobs, _ = service(api, time)

    assert 2 == len(jobs.fetch_many(["j1", "j2"]))
    assert 1 == len(api.asked)


def test_fetch_many_of_many_reads_one_page_more_for_each_hundred(time):
    """
    The list may have others between them; it is not read to its end.
    """
    api = Api(pages=[page(job("j999"), cursor=str(at)) for at in range(9)])
    jobs, _ = service(api, time)

    assert {} == jobs.fetch_many([f"j{n}" for n in range(250)])
    assert 4 == len(api.asked)


def test_cancel_records_how_the_job_ended(time):
    api = Api("processing", "cancelled")
    jobs, records = service(api, time)

    assert "cancelled" == jobs.cancel("j1").status
    assert [("j1", "cancelled", "google/x")] == records.outcomes


def test_cancel_of_a_job_that_runs_on_records_nothing(time):
    jobs, records = service(Api("processing"), time)

    assert "processing" == jobs.cancel("j1").status
    assert [] == records.outcomes


def test_cancel_all_returns_what_is_cancelled(time):
    """
    An error with one job does not stop the others.
    """
    api = Api("processing", "cancelled", ServerError("fault"), "completed")
    jobs, records = service(api, time)

    assert ["j1"] == jobs.cancel_all(["j1", "j2", "j3"], seconds=3)
    assert ["cancelled", "completed"] == [status for _, status, _ in records.outcomes]
    assert ["j1"] == api.cancelled


def test_cancel_all_leaves_a_silent_service_behind(time):
    """
    The jobs after it get no more time.
    """
    silent = threading.Event()
    api = Api("processing")
    api.job = lambda *_, **__: silent.wait(5)
    jobs, _ = service(api, time)

    assert [] == jobs.cancel_all(["j1", "j2"], seconds=0.05)
    silent.set()


def run(api, time):
    return cancel("j1", api, time.clock, wait_turn=lambda: None)


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_cancel_leaves_a_finished_job_alone(time, status):
    """
    For the service that would mean to delete it.
    """
    api = Api(status)

    assert status == run(api, time).status
    assert [] == api.cancelled


def test_cancel_waits_until_the_job_has_ended(time):
    api = Api("processing", "processing", "processing", "cancelled")

    assert "cancelled" == run(api, time).status
    assert (["j1"], 2.0) == (api.cancelled, time.elapsed)
    assert [None, 5.0, 5.0, 5.0] == api.deadlines


def test_cancel_returns_the_job_that_still_runs_after_five_seconds(time):
    api = Api("processing")

    assert "processing" == run(api, time).status
    assert (5.0, [1.0] * 5) == (time.elapsed, time.slept)


def test_cancel_takes_a_job_that_is_gone_for_cancelled(time):
    """
    The service may delete such jobs; also between the look and the request.
    """
    api = Api("processing", UNKNOWN, refusal=UNKNOWN)

    assert "cancelled" == run(api, time).status


@pytest.mark.parametrize(
    "refusal", [ServerError("fault"), RequestRejectedError("refused")]
)
def test_cancel_refused_is_an_error_only_while_the_job_runs(time, refusal):
    with pytest.raises(type(refusal)):
        run(Api("processing", refusal=refusal), time)

    assert "completed" == run(Api("queued", "completed", refusal=refusal), time).status


def test_cancel_refused_for_the_token_ends_at_once(time):
    with pytest.raises(NoTokenError):
        run(Api("processing", refusal=NoTokenError("No token.")), time)

    assert 0 == time.elapsed


def test_cancel_looks_again_after_passing_trouble(time):
    api = Api("processing", ServerError("fault"), "cancelled")

    assert "cancelled" == run(api, time).status


def test_cancel_that_cannot_be_followed_says_what_was_asked(time):
    with pytest.raises(ServerError) as caught:
        run(Api("processing", ServerError("It is down.")), time)

    assert (
        "Cannot confirm that job j1 was cancelled: It is down." == caught.value.message
    )
    assert 5.0 == time.elapsed


def test_cancel_of_an_unknown_job_asks_for_nothing(time):
    api = Api(UNKNOWN)

    with pytest.raises(UsageError):
        run(api, time)
    assert [] == api.cancelled


class Racing(Api):
    """
    A service of many jobs, of which `completing` complete just before they are fetched
    one by one, and `stubborn` run on. Its list knows nothing of that yet.
    """

    def __init__(self, ids, *, completing, stubborn=()):
        super().__init__()
        self.states = dict.fromkeys(ids, "processing")
        self.completing, self.stubborn = completing, stubborn
        self.deleted_results = []

    def job(self, job_id, *, deadline=None, wait_turn):
        if job_id in self.completing:
            self.states[job_id] = "completed"
        return job(job_id, self.states[job_id])

    def cancel(self, job_id):
        self.cancelled.append(job_id)
        if self.states[job_id] == "completed":
            self.deleted_results.append(job_id)
        elif job_id not in self.stubborn:
            self.states[job_id] = "cancelled"

    def jobs(self, *, limit, cursor, deadline, wait_turn):
        return page(*(job(*each) for each in self.states.items()))


@pytest.mark.parametrize("count", [4, 40])
def test_cancel_all_looks_at_each_job_right_before_it_is_cancelled(time, count):
    ids = [f"j{number}" for number in range(count)]
    api = Racing(ids, completing={"j1", "j3"}, stubborn={"j2"})
    jobs, _ = service(api, time)

    cancelled = jobs.cancel_all(ids, seconds=30)

    assert [] == api.deleted_results
    assert sorted(set(ids) - {"j1", "j3"}) == sorted(api.cancelled)
    assert [each for each in ids if each not in ("j1", "j2", "j3")] == cancelled


def test_cancel_is_repeated_only_after_another_look(time):
    """
    The job may have completed since the request that was lost.
    """
    api = Api("processing", "completed", refusal=ServerError("fault"))

    assert "completed" == run(api, time).status
    assert ["j1"] == api.cancelled


def test_cancel_survives_a_burst_of_faults(time):
    faults = [ServerError("fault"), ServerError("fault"), None]
    api = Api("processing", "processing", "processing", "cancelled")
    cancelled = []

    def cancel_with_faults(job_id):
        cancelled.append(job_id)
        if fault := faults.pop(0):
            raise fault

    api.cancel = cancel_with_faults

    assert "cancelled" == run(api, time).status
    assert ["j1"] * 3 == cancelled
