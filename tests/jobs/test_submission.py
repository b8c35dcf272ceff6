from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress

import pytest
from media.samples import unread

from krea_cli import media
from krea_cli.api.models import Job
from krea_cli.errors import (
    BalanceError,
    ConnectionFailedError,
    ExitCode,
    InvalidResponseError,
    JournalError,
    KreaError,
    RequestRejectedError,
    ResponseLostError,
    ServerError,
    ServiceError,
    TokenRejectedError,
    UnconfirmedSubmissionError,
    UsageError,
)
from krea_cli.jobs.submission import RequestSubmitter
from krea_cli.jobs.submit_throttle import SubmitThrottle
from krea_cli.jobs.submitter import Submitter
from krea_cli.journal.database import Database
from krea_cli.journal.journal import Journal
from krea_cli.requests.request import Request

PHOTO = unread("photo.jpg", media.JPEG)
JOB = Job(job_id="job-1", status="queued")


class Client:
    """
    Answers each submission with the next outcome; `states` is what the journal said of
    it at that moment.
    """

    def __init__(self, folder, *outcomes):
        self.outcomes = list(outcomes)
        self.sent = []
        self.keys = []
        self.states = []
        self._folder = folder

    def submit(self, model, body, *, webhook=None, key=None):
        self.sent.append((model, json.loads(b"".join(body.chunks())), webhook))
        self.keys.append(key)
        self.states.append(states(self._folder))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def states(folder):
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        return db.execute("SELECT state, job_id FROM records ORDER BY rowid").fetchall()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def journal(folder):
    database = Database(folder)
    yield Journal(database, "service")
    database.close()


def paid(client, journal, clock):
    return Submitter(
        client=client,
        journal=journal,
        clock=clock,
        throttle=SubmitThrottle(clock),
        on_submitted=lambda _: None,
        on_unconfirmed=lambda _: None,
        on_delayed=lambda *_: None,
    )


@pytest.fixture
def submission(folder, journal, time):
    """
    Makes submissions to a client with these outcomes.
    """

    def make(*outcomes, fresh_url_of=lambda image: f"fresh:{image.name}"):
        return RequestSubmitter(
            submitter=paid(Client(folder, *outcomes), journal, time.clock),
            service="service",
            url_of=lambda image: f"first:{image.name}",
            fresh_url_of=fresh_url_of,
            input_options={"inline": False},
            is_secret=lambda _: False,
        )

    return make


@pytest.fixture
def request_of(catalog):
    def make(webhook=None, **fields):
        model = catalog["image/google/nano-banana-pro"]
        return Request(model=model, fields=fields, webhook=webhook)

    return make


def refused(message, status=422):
    error = RequestRejectedError(
        f"The service refused the request ({status}): {message}"
    )
    error.status = status
    return error


def test_an_accepted_request_is_recorded_before_and_after(
    submission, request_of, folder
):
    """
    The intention is on disk when the request leaves, the id right after the answer.
    """
    ordered = submission(JOB)

    job = ordered.submit(
        request_of(prompt="x", seed=7, webhook="https://h.test"), "run", deadline=600
    )

    assert [[("intended", None)]] == ordered.submitter.client.states
    assert [("submitted", "job-1")] == states(folder)
    assert ("job-1", "google/nano-banana-pro", 7) == (job.job_id, job.model, job.seed)
    assert [
        (
            "image/google/nano-banana-pro",
            {"prompt": "x", "seed": 7},
            "https://h.test",
        )
    ] == ordered.submitter.client.sent


@pytest.mark.parametrize(
    "error",
    [
        ResponseLostError("x"),
        ServerError("x"),
        InvalidResponseError("x"),
    ],
)
def test_a_lost_answer_is_unknown_and_never_sent_again(
    submission, request_of, folder, time, error
):
    """
    There may be a job, and a bill: exit 11, and a record that warns.
    """
    ordered = submission(error)

    with pytest.raises(UnconfirmedSubmissionError) as caught:
        ordered.submit(request_of(prompt="x"), "run", deadline=600)

    assert ExitCode.UNKNOWN == caught.value.exit_code
    assert (1, []) == (len(ordered.submitter.client.sent), time.slept)
    assert [("unknown", None)] == states(folder)


@pytest.mark.parametrize(
    "error",
    [
        refused("bad field"),
        BalanceError("x"),
        TokenRejectedError("x"),
        ServiceError("a redirect"),
    ],
)
def test_a_refusal_is_itself_and_leaves_no_record(
    submission, request_of, folder, time, error
):
    """
    Nothing was paid for, and nothing is sent again.
    """
    ordered = submission(error)

    with pytest.raises(type(error)) as caught:
        ordered.submit(request_of(prompt="x"), "run", deadline=600)

    assert error is caught.value
    assert (1, []) == (len(ordered.submitter.client.sent), time.slept)
    assert [] == states(folder)


def test_a_request_that_was_not_sent_is_tried_again(
    submission, request_of, folder, time
):
    """
    One record for one order, however often nobody was there.
    """
    ordered = submission(ConnectionFailedError("x"), ConnectionFailedError("x"), JOB)

    assert "job-1" == ordered.submit(request_of(prompt="x"), "run", deadline=600).job_id
    assert (3, 2) == (len(ordered.submitter.client.sent), len(time.slept))
    assert 1 == len(set(ordered.submitter.client.keys))
    assert [("submitted", "job-1")] == states(folder)


def test_a_service_that_is_never_there_leaves_no_record(submission, request_of, folder):
    """
    Nothing was sent in four tries.
    """
    ordered = submission(*[ConnectionFailedError("x")] * 9)

    with pytest.raises(ConnectionFailedError):
        ordered.submit(request_of(prompt="x"), "run", deadline=600)

    assert (4, []) == (len(ordered.submitter.client.sent), states(folder))


@pytest.mark.parametrize(
    "message", ["image_urls.0: Invalid asset URL", "Input file rejected: 400"]
)
def test_a_refused_url_is_sent_again_as_a_fresh_one(
    submission, request_of, folder, message
):
    """
    A refusal was not accepted, so this is no second order.
    """
    ordered = submission(refused(message), JOB)

    ordered.submit(request_of(prompt="x", image_urls=[PHOTO]), "run", deadline=600)

    assert [["first:photo.jpg"], ["fresh:photo.jpg"]] == [
        body["image_urls"] for _, body, _ in ordered.submitter.client.sent
    ]
    assert [[("intended", None)]] * 2 == ordered.submitter.client.states
    assert [("submitted", "job-1")] == states(folder)


def test_a_fresh_url_that_is_refused_is_not_sent_again(submission, request_of, folder):
    """
    Exactly once.
    """
    ordered = submission(*[refused("Invalid asset URL")] * 5)

    with pytest.raises(RequestRejectedError):
        ordered.submit(request_of(prompt="x", image_urls=[PHOTO]), "run", deadline=600)

    assert (2, []) == (len(ordered.submitter.client.sent), states(folder))


ITSELF = {"fresh_url_of": lambda image: PHOTO}


@pytest.mark.parametrize(
    ("message", "fields", "options"),
    [
        ("Unrecognized keys", {"image_urls": [PHOTO]}, {}),
        ("Invalid asset URL", {}, {}),
        ("Invalid asset URL", {"image_urls": [PHOTO]}, ITSELF),
    ],
)
def test_another_refusal_is_not_sent_again(
    submission, request_of, message, fields, options
):
    """
    It would be refused again: another reason, no image, an image in the request itself.
    """
    ordered = submission(refused(message), **options)

    with pytest.raises(RequestRejectedError):
        ordered.submit(request_of(prompt="x", **fields), "run", deadline=600)

    assert 1 == len(ordered.submitter.client.sent)


def test_preparing_uploads_and_sends_nothing_that_costs(submission, request_of):
    """
    Every image gets its URL; the journal is looked at.
    """
    seen = []
    ordered = submission()
    ordered = ordered._replace(url_of=lambda image: seen.append(image.name) or "u")

    ordered.prepare(request_of(prompt="x", image_urls=[PHOTO]))

    assert (["photo.jpg"], []) == (seen, ordered.submitter.client.sent)


def test_text_that_cannot_be_sent_is_found_beforehand(submission, request_of):
    """
    Before there is a record.
    """
    with pytest.raises(UsageError, match="UTF-8"):
        submission().prepare(request_of(prompt="\udcff"))


class Sabotage:
    """
    A journal that cannot be used from one method on.
    """

    def __init__(self, journal, method):
        self._journal = journal
        self._method = method

    def __getattr__(self, name):
        if name == self._method:

            def fail(*_, **__):
                raise JournalError("The disk is full.")

            return fail
        return getattr(self._journal, name)


def sabotaged(submission, method, *outcomes):
    ordered = submission(*outcomes)
    journal = Sabotage(ordered.submitter.journal, method)
    return ordered._replace(submitter=ordered.submitter._replace(journal=journal))


@pytest.mark.parametrize("method", ["check", "begin"])
def test_without_a_record_nothing_is_sent(submission, request_of, method):
    """
    A job that nobody remembers would be lost.
    """
    ordered = sabotaged(submission, method, JOB)

    with suppress(JournalError):
        ordered.prepare(request_of(prompt="x"))
        ordered.submit(request_of(prompt="x"), "run", deadline=600)

    assert [] == ordered.submitter.client.sent


def test_an_id_that_cannot_be_kept_is_told(submission, request_of):
    """
    It is paid for: the error knows the job and how to collect it.
    """
    ordered = sabotaged(submission, "accepted", JOB)

    with pytest.raises(JournalError) as caught:
        ordered.submit(request_of(prompt="x"), "run", deadline=600)

    assert "job-1" == caught.value.job_id
    assert "Job job-1 was submitted" in caught.value.message


@pytest.mark.parametrize(
    ("method", "error", "kind"),
    [
        ("unconfirmed", ResponseLostError("x"), UnconfirmedSubmissionError),
        ("refused", BalanceError("x"), BalanceError),
    ],
)
def test_what_happened_counts_for_more_than_its_record(
    submission, request_of, folder, method, error, kind
):
    """
    Exit 11 does not become a 7, which may be run again; the intention stays on disk.
    """
    ordered = sabotaged(submission, method, error)

    with pytest.raises(KreaError) as caught:
        ordered.submit(request_of(prompt="x"), "run", deadline=600)

    assert kind is type(caught.value)
    assert [("intended", None)] == states(folder)
