from __future__ import annotations

import pytest

from krea_cli.api.models import Job
from krea_cli.catalog.catalog import Catalog
from krea_cli.errors import JournalError
from krea_cli.jobs.poll_timing import PollTiming
from krea_cli.jobs.schedule import (
    GUESS_BY_KIND,
    PUBLISHED_GUESSES,
    UNKNOWN_MODEL_GUESS,
    guess_for,
    poll_ages,
)

MODEL = "google/nano-banana-pro"
JOB = Job(job_id="job-1", status="processing", model=MODEL)


class History:
    def __init__(self, durations):
        self._durations = durations

    def durations(self, model):
        if self._durations is None:
            raise JournalError("It cannot be read.")
        return self._durations if model == MODEL else []

    def sent_at(self, job_id):
        return None


@pytest.fixture
def timing(time):
    def make(durations, logged):
        return PollTiming(
            lambda: History(durations),
            time.clock,
            guess=lambda job: guess_for(job.model, "image"),
            log=logged.append,
        )

    return make


@pytest.mark.parametrize(
    ("durations", "source"),
    [
        ([], "how long Krea says that this model takes"),
        (None, "how long Krea says that this model takes"),
        (
            [20.0, 22.0],
            "2 jobs in the journal, and how long Krea says that this model takes",
        ),
    ],
)
def test_poll_timing_logs_once_where_its_times_come_from(timing, durations, source):
    logged = []
    planned = timing(durations, logged)
    for job_id in ("job-1", "job-2"):
        planned.add(Job(job_id=job_id, status="processing", model=MODEL))
        planned.seconds_until_next_poll(job_id)

    assert 1 == len(logged)
    assert MODEL in logged[0]
    assert source in logged[0]


def test_poll_timing_without_history_uses_the_models_own_times(timing):
    planned = timing([], [])
    planned.add(JOB)

    first = planned.seconds_until_next_poll("job-1")

    assert pytest.approx(poll_ages([], PUBLISHED_GUESSES[MODEL])[0]) == first
    assert first > 4


def test_guess_for_a_model_without_published_times_is_by_kind():
    assert GUESS_BY_KIND["video"] == guess_for("google/veo-3", "video")
    assert (
        UNKNOWN_MODEL_GUESS
        == guess_for("some/new-model", None)
        == guess_for(None, None)
    )


def test_published_times_are_of_models_that_exist():
    known = {model.id for model in Catalog.bundled().models}

    assert known >= PUBLISHED_GUESSES.keys()
