from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from operations.stubs import job

from krea_cli.errors import JournalError
from krea_cli.jobs.deadline import model_kinds, wait_seconds
from krea_cli.jobs.poll_timing import PollTiming
from krea_cli.jobs.schedule import GUESS_BY_KIND, poll_ages, seconds_until_next_poll

GUESS = GUESS_BY_KIND["image"]


class History:
    """
    Durations of each model, and when each job was `sent`.
    """

    def __init__(self, usual=None, sent=None, **durations):
        self.known, self.usual, self.sent = durations, usual or {}, sent or {}
        self.asked = []

    def durations(self, model):
        self.asked.append(model)
        return self.known.get(model, [])

    def usual_seconds(self, model):
        return self.usual.get(model)

    def sent_at(self, job_id):
        return self.sent.get(job_id)


def timing(time, history=None):
    history = history or History()
    return PollTiming(
        lambda: history, time.clock, guess=lambda job: GUESS, log=lambda _: None
    )


def created(time, ago):
    return datetime.fromtimestamp(time.wall() - ago, UTC).isoformat()


def expected(age, durations=()):
    return seconds_until_next_poll(poll_ages(list(durations), GUESS), age)


def next_poll(time, history=None, **fields):
    polls = timing(time, history)
    polls.add(job("j1", **fields))
    return polls.seconds_until_next_poll("j1")


def test_timing_of_an_unknown_model_follows_the_guess(time):
    assert expected(0.0) == next_poll(time)


def test_timing_counts_from_when_the_service_made_the_job(time):
    assert pytest.approx(expected(7.5)) == next_poll(
        time, created_at=created(time, 7.5)
    )


def test_timing_moves_on_with_the_clock(time):
    polls = timing(time)
    polls.add(job("j1"))
    time.elapsed += 6.0

    assert expected(6.0) == polls.seconds_until_next_poll("j1")


def test_timing_of_a_known_model_follows_its_durations(time):
    history = History(m=[60.0] * 9)

    found = next_poll(time, history, model="m")

    assert expected(0.0, [60.0] * 9) == found
    assert found != expected(0.0)


def test_timing_reads_the_durations_of_a_model_once(time):
    history = History()
    polls = timing(time, history)
    for name in ("j1", "j2"):
        polls.add(job(name, model="m"))
        polls.seconds_until_next_poll(name)

    assert ["m"] == history.asked


@pytest.mark.parametrize("ago", [100.0, -20.0, None])
def test_timing_with_a_wrong_clock_of_the_service_counts_from_the_request(time, ago):
    """
    The job cannot be older than its request, nor still to come.
    """
    history = History(sent={"j1": time.wall() - 9.0})
    at = None if ago is None else created(time, ago)

    assert expected(9.0) == next_poll(time, history, model="m", created_at=at)


def test_timing_with_a_right_clock_counts_from_the_job(time):
    history = History(sent={"j1": time.wall() - 90.0})
    at = created(time, 3.0)

    found = next_poll(time, history, model="m", created_at=at)

    assert pytest.approx(expected(3.0)) == found
    assert pytest.approx(expected(90.0)) != found


def test_timing_of_a_job_to_come_without_a_record_begins_now(time):
    assert expected(0.0) == next_poll(time, created_at=created(time, -50.0))


def test_timing_with_a_broken_journal_is_only_worse(time):
    def broken():
        raise JournalError("It cannot be read.")

    polls = PollTiming(broken, time.clock, guess=lambda job: GUESS, log=lambda _: None)
    polls.add(job("j1", model="m"))

    assert expected(0.0) == polls.seconds_until_next_poll("j1")
    assert polls.usual_seconds() is None


def test_timing_usual_seconds_are_those_of_the_slowest_model(time):
    polls = timing(time, History(usual={"a": 9.0, "b": 40.0}))
    assert polls.usual_seconds() is None

    for name, model in (("j1", "a"), ("j2", "b"), ("j3", "new"), ("j4", None)):
        polls.add(job(name, model=model))

    assert 40.0 == polls.usual_seconds()


@pytest.mark.parametrize(
    ("timeout", "setting", "kinds", "seconds"),
    [
        (5.0, 7.0, ["video"], 5.0),
        (None, 7.0, ["video"], 7.0),
        (None, None, ["video"], 1800.0),
        (None, None, ["image", "3d"], 1800.0),
        (None, None, ["image"], 600.0),
        (None, None, [], 600.0),
    ],
)
def test_wait_seconds_of_the_first_that_says_so(timeout, setting, kinds, seconds):
    assert seconds == wait_seconds(timeout, setting, kinds)


def test_kinds_of_jobs_whose_models_are_known():
    models = [SimpleNamespace(id=f"m{n}", kind=f"kind {n}") for n in range(3)]
    jobs = [job("a", model="m1"), job("b", model="new"), job("c")]

    assert {"kind 1"} == model_kinds(jobs, models)


def test_kinds_of_jobs_without_models_need_no_models():
    def never():
        pytest.fail("the models were read")
        yield

    assert set() == model_kinds([job("a")], never())
