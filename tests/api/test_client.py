from __future__ import annotations

import base64
import json

import pytest
from api.wire import answer, closing, resetting
from service import TOKEN

from krea_cli.api import client as client_module
from krea_cli.api.client import ApiClient
from krea_cli.api.http_types import RequestBody, encode_json
from krea_cli.api.request_body import encode_body
from krea_cli.errors import (
    ConnectionFailedError,
    InvalidResponseError,
    RateLimitError,
    RequestRejectedError,
    ResponseLostError,
    ServerError,
    ServiceError,
    TokenRejectedError,
    UnknownJobError,
    UsageError,
)

JOB = {"job_id": "j1", "status": "queued"}


def says(data, status="200 OK", **headers):
    return answer(json.dumps(data).encode(), status=status, **headers)


@pytest.fixture
def serve(wire, connect, time):
    """
    The client of a server that answers so.
    """

    def make(*scripts):
        server = wire(*scripts)
        return ApiClient(connect(server.url()), time.clock), server

    return make


def test_a_submission_is_one_post_of_the_body_as_it_is(serve):
    """
    To the model's route, as JSON, with the webhook and the key as headers, if any.
    """
    client, server = serve(says(JOB))

    job = client.submit(
        "image/x/y",
        encode_body({"prompt": "a"}),
        webhook="https://a.test/hook",
        key="k-1",
    )
    client.submit("image/x/y", encode_body({}))
    heard, bare = server.heard

    assert ("j1", "queued") == (job.job_id, job.status)
    assert ("POST /generate/image/x/y HTTP/1.1", b'{"prompt":"a"}') == (
        heard.line,
        heard.body,
    )
    assert "application/json" == heard.headers["content-type"]
    assert "https://a.test/hook" == heard.headers["x-webhook-url"]
    assert "k-1" == heard.headers["idempotency-key"]
    assert not {"x-webhook-url", "idempotency-key"} & bare.headers.keys()


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (resetting(), ResponseLostError),
        (closing(b""), ResponseLostError),
        (says({}, "503 Busy", Retry_After="1"), ServerError),
        (says({}, "429 Wait", Retry_After="1"), RateLimitError),
        (says({}, "307 Moved", Location="/other"), ServiceError),
        (answer(b"<html>"), InvalidResponseError),
        (says({"status": "queued"}), InvalidResponseError),
        (says({"job_id": "../x", "status": "queued"}), InvalidResponseError),
    ],
)
def test_a_submission_is_sent_once(serve, time, script, kind):
    """
    Whatever comes back or does not: to repeat it could mean to pay twice.
    """
    client, server = serve(script)

    with pytest.raises(kind):
        client.submit("image/x/y", encode_body({}))

    assert (1, []) == (len(server.heard), time.slept)


def test_looking_survives_a_burst_of_faults(serve, time):
    """
    A GET is free, so it is asked again.
    """
    client, server = serve(resetting(), says({}, "502 Bad"), closing(b""), says(JOB))

    assert "queued" == client.job("j1").status
    assert (4, 3) == (len(server.heard), len(time.slept))


def test_looking_stops_at_its_deadline(serve, time):
    """
    No pause is begun that would outlast it.
    """
    client, server = serve(says({}, "429 Wait", Retry_After="30"))

    with pytest.raises(RateLimitError):
        client.job("j1", deadline=time.elapsed + 29)

    assert (1, []) == (len(server.heard), time.slept)


def test_a_look_does_not_outlast_its_deadline(serve, time, monkeypatch):
    """
    A service that is silent holds nobody up for a minute when the time is nearly up.
    """
    monkeypatch.setattr(client_module, "MIN_REQUEST_SECONDS", 0.1)
    client, _ = serve(lambda connection: connection.recv(1))

    with pytest.raises(ResponseLostError, match="in time"):
        client.job("j1", deadline=time.elapsed)


@pytest.mark.parametrize(
    ("left", "seconds"), [(-5, 3), (1, 3), (10, 10), (600, 60), (None, 60)]
)
def test_a_look_has_at_least_three_seconds_and_at_most_a_minute(time, left, seconds):
    """
    Between these two, as much as is left.
    """
    given = []

    class Transport:
        host = "api.test"
        redact = str

        def get(self, path, params, *, seconds):
            given.append(seconds)
            raise ConnectionFailedError("x")

    deadline = None if left is None else time.elapsed + left

    with pytest.raises(ConnectionFailedError):
        ApiClient(Transport(), time.clock).job("j1", deadline=deadline)

    assert seconds == given[0]


def test_a_job_that_is_not_there_is_unknown(serve):
    """
    404 means the job, not the route; the id is in the error.
    """
    client, server = serve(says({"error": "Job not found"}, "404 Not Found"))

    with pytest.raises(UnknownJobError) as caught:
        client.job("j1")

    assert ("j1", 1) == (caught.value.job_id, len(server.heard))


def test_another_refusal_of_a_look_is_itself(serve):
    """
    400 is not taken for a missing job.
    """
    client, _ = serve(says({"error": "bad id"}, "400 Bad"))

    with pytest.raises(RequestRejectedError, match="bad id"):
        client.job("j1")


def test_each_attempt_of_a_look_waits_for_its_turn(serve, time):
    """
    So that faults do not make it faster than it may be.
    """
    client, server = serve(says({}, "502 Bad"), says({}, "502 Bad"), says(JOB))
    turns = []

    client.job("j1", wait_turn=lambda: turns.append(len(server.heard)))

    assert [0, 1, 2] == turns


@pytest.mark.parametrize(
    "script", [answer(b"", "204 No"), answer(b""), answer(b"<html>"), says(JOB)]
)
def test_to_cancel_is_a_delete_whose_answer_says_nothing(serve, script):
    """
    What the service answers is not documented, so a good status is enough.
    """
    client, server = serve(script)

    client.cancel("j1")

    assert ["DELETE /jobs/j1 HTTP/1.1"] == [heard.line for heard in server.heard]


def test_to_cancel_is_sent_once(serve):
    """
    The job may have completed meanwhile, and would be deleted.
    """
    client, server = serve(says({}, "502 Bad"), says({}))

    with pytest.raises(ServerError):
        client.cancel("j1")

    assert 1 == len(server.heard)


def test_what_is_not_there_cannot_be_cancelled(serve):
    """
    404 is the job; another refusal is itself, and is not repeated.
    """
    client, server = serve(says({}, "404 Not Found"), says({"error": "no"}, "409 X"))

    with pytest.raises(UnknownJobError):
        client.cancel("j1")
    with pytest.raises(RequestRejectedError, match="no"):
        client.cancel("j1")

    assert 2 == len(server.heard)


def test_jobs_are_read_one_by_one(serve):
    """
    An entry that makes no sense hides none of the others.
    """
    items = [JOB, None, "x", {"job_id": 5}, {"job_id": "j2", "status": "failed"}]
    client, server = serve(says({"items": items, "next_cursor": None}))

    page = client.jobs(limit=7)

    assert (["j1", "j2"], None) == ([job.job_id for job in page.jobs], page.cursor)
    assert "GET /jobs?limit=7 HTTP/1.1" == server.heard[0].line


def test_jobs_are_asked_for_page_by_page(serve):
    """
    The cursor leads on, and a status narrows the list.
    """
    client, server = serve(
        says({"items": [JOB], "next_cursor": "2026-11-22T00:00:01Z"})
    )

    page = client.jobs(limit=7)
    client.jobs(limit=7, cursor=page.cursor, status="queued")

    assert "cursor=2026-11-22T00%3A00%3A01Z&status=queued" in server.heard[1].line


@pytest.mark.parametrize("answered", [{}, {"items": None}, {"items": "x"}])
def test_no_jobs_are_no_error(serve, answered):
    """
    The list may be missing, and the cursor of no use.
    """
    client, _ = serve(says(answered | {"next_cursor": 7}))

    page = client.jobs(limit=1)

    assert ((), None) == (page.jobs, page.cursor)


@pytest.mark.parametrize(
    ("date", "clock_skew"),
    [
        ("Mon, 21 Sep 2026 14:13:25 GMT", 5),
        ("Mon, 21 Sep 2026 13:13:20 -0000", -3600),
        ("", None),
        ("yesterday", None),
        ("Mon, 21 Sep 99999 14:13:25 GMT", None),
    ],
)
def test_a_page_knows_how_far_the_clocks_are_apart(serve, date, clock_skew):
    """
    By the Date of the answer, so that times of the service can be compared with ours.
    """
    client, _ = serve(says({"items": []}, Date=date))

    assert clock_skew == client.jobs(limit=1).clock_skew


def test_an_upload_gives_the_url_to_send(serve):
    """
    The file as it is, in one form.
    """
    client, server = serve(says({"id": "a1", "image_url": "https://k.test/a1"}))
    file = RequestBody(size_bytes=7, chunks=lambda: iter([b"pic", b"ture"]))

    asset = client.upload(file, "image-1.png", "image/png")

    assert "https://k.test/a1" == asset.url
    assert b"\r\n\r\npicture\r\n" in server.heard[0].body


def test_upload_refused_for_now_is_sent_again(serve):
    """
    Several at once may be more than the service takes.
    """
    busy = says({"error": "Too many"}, status="429 Too Many Requests")
    client, server = serve(busy, says({"id": "a1", "image_url": "https://k.test/a1"}))
    file = RequestBody(size_bytes=3, chunks=lambda: iter([b"pic"]))

    client.upload(file, "image-1.png", "image/png")

    assert 2 == len(server.heard)


def test_an_upload_without_a_url_is_no_upload(serve):
    """
    There is nothing that could be sent.
    """
    client, _ = serve(says({"id": "a1", "image_url": ""}))

    with pytest.raises(InvalidResponseError, match="without a URL"):
        client.upload(encode_body({}), "image-1.png", "image/png")


def test_a_body_is_compact_utf_8():
    """
    Other scripts are not blown up to escapes.
    """
    assert '{"prompt":"eine Möwe 🐦","n":1}'.encode() == encode_json(
        {"prompt": "eine Möwe 🐦", "n": 1}
    )


def test_what_json_cannot_say_is_refused():
    """
    Numbers that are none, and lists without an end.
    """
    endless = []
    endless.append(endless)

    for value in (float("nan"), float("inf"), endless):
        with pytest.raises(UsageError, match="JSON"):
            encode_json({"seed": value})


def test_text_that_is_no_unicode_is_refused():
    """
    Bytes of a broken argument cannot be sent.
    """
    with pytest.raises(UsageError, match="UTF-8"):
        encode_json({"prompt": "\udcff"})


SPELLED = [TOKEN[:-1], base64.b64encode(f"Bearer {TOKEN}".encode()).decode()]


@pytest.mark.parametrize("spelled", SPELLED)
def test_no_part_of_the_token_comes_back_in_words(serve, spelled):
    """
    Neither in the reason for a refusal, nor in the errors and statuses of jobs; their
    URLs stay as they are.
    """
    url = f"https://gen.krea.ai/{TOKEN[:12]}/x.png"
    job = {
        "job_id": "j1",
        "status": f"is {spelled}",
        "completed_at": spelled,
        "error": {"code": spelled, "message": f"Bad token {spelled}"},
        "result": {"urls": [url]},
    }
    refused = says({"error": f"Not valid: {spelled}"}, status="401 Unauthorized")
    nonsense = f"HTTP/1.1 2x0 {spelled}\r\n\r\n".encode()
    client, _ = serve(refused, says(job), nonsense)

    with pytest.raises(TokenRejectedError) as caught:
        client.job("j1")
    found = client.job("j1")
    with pytest.raises(ResponseLostError) as broken:
        client.submit("image/x/y", encode_body({}))

    said = f"{caught.value.message}{found.status}{found.completed_at}{found.error}"
    said += broken.value.message
    secret = spelled.removeprefix("QmVhcmVyI")  # Bearer
    assert not [n for n in range(len(secret) - 7) if secret[n : n + 8] in said]
    assert (url,) == found.urls
