from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal.recorded import NOW, record

from krea_cli.api.http_types import encode_json
from krea_cli.api.models import SavedFile
from krea_cli.journal.record import Record, this_process
from krea_cli.journal.redaction import without_secrets

CONTENT = b"\x89PNG canary"
DATA = "data:image/png;base64," + base64.b64encode(CONTENT).decode()
HASHED = "data:image/png;sha256=" + hashlib.sha256(CONTENT).hexdigest()
HERE = this_process().rsplit(":", 2)[0]

WHAT = {
    "run": "run",
    "service": "service",
    "model": "x",
    "path": "image/x",
    "webhook": None,
    "seed": None,
    "cost_usd": None,
    "now": NOW,
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def dead():
    """
    A process that has ended.
    """
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return f"{HERE}:{process.pid}:1"


def test_every_intent_is_its_own():
    """
    Also of equal requests.
    """
    assert 1000 == len({record().record for _ in range(1000)})


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("an owl", "an owl"),
        ("What is on https://a.test/x?", "What is on https://a.test/x?"),
        ("https://a.test/x.png?X-Amz-Signature=canary", "https://a.test/x.png"),
        ("https://a.test/x.png#canary", "https://a.test/x.png"),
        ("HTTPS://canary:canary@a.test:8/x", "HTTPS://a.test:8/x"),
        ("s3://canary@bucket/x?canary", "s3://bucket/x"),
        (
            "as <https://a.test/x?canary> and s3://b/y?canary blue",
            "as <https://a.test/x and s3://b/y blue",
        ),
        (DATA, HASHED),
        (f"as {DATA}", f"as {HASHED}"),
        (
            "data:text/plain;charset=utf-8,canary",
            f"data:text/plain;sha256={hashlib.sha256(b'canary').hexdigest()}",
        ),
        (
            "data:;base64,canary?",
            f"data:;sha256={hashlib.sha256(b'canary?').hexdigest()}",
        ),
        ("bars of data: 1, 2 and 3", "bars of data: 1, 2 and 3"),
        ("bars of data:1,2", "bars of data:1,2"),
    ],
)
def test_no_secret_is_kept(text, kept):
    """
    What may be a signature or a key, and what is a file of the user's;
    other text is kept as it is.
    """
    made = record({"prompt": "x", "a": [{"b": text}]}, webhook=text)

    assert kept == made.request["body"]["a"][0]["b"]
    assert kept == made.request["webhook"]
    assert kept == without_secrets(kept)


@pytest.mark.parametrize("text", ["a" * 10**6, "data:;" * 10**5, "a://" * 10**5])
@pytest.mark.long
def test_a_long_text_takes_no_longer_than_its_length(text):
    """
    A megabyte is looked through once.
    """
    assert len(without_secrets(text)) <= len(text)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), json_values))
@pytest.mark.long
def test_what_is_kept_whole_is_the_bytes_that_were_sent(body):
    """
    A request can be sent again exactly when nothing was left out of it, and then byte
    by byte, also after it was on disk.
    """
    made = Record.from_row(record(body).as_row())

    assert made.is_complete == (made.request["body"] == body)
    if made.is_complete:
        assert encode_json(body) == encode_json(made.request["body"])


@pytest.mark.parametrize(
    ("body", "webhook", "is_complete"),
    [
        ({"prompt": "Eulen im Müll 🦉", "n": 1e-7, "list": [1, 2.0]}, None, True),
        ({"prompt": "x", "image_url": "https://a.test/x"}, "https://h.test/", True),
        ({"prompt": "x", "image_url": "https://a.test/x?a=b"}, None, False),
        ({"prompt": "x", "image_url": DATA}, None, False),
        ({"prompt": "x"}, "https://h.test/?key=canary", False),
    ],
)
def test_whole_is_what_nothing_was_left_out_of(body, webhook, is_complete):
    """
    Of body and webhook.
    """
    assert is_complete == record(body, webhook=webhook).is_complete


def test_what_was_left_out_is_named():
    """
    But for images whose origin is known.
    """
    signed = "https://a.test/x?key=canary"
    body = {"prompt": f"as {signed}", "images": [{"url": signed}, {"url": "x"}, DATA]}
    origin = {"at": ["images", 2], "path": "/x.png", "sha256": "a"}

    made = Record.of(**WHAT, body=body, images={"inputs": [origin], "fit": True})

    assert [["prompt"], ["images", 0, "url"]] == made.request["not_kept"]
    assert ([origin], True) == (made.request["inputs"], made.request["fit"])


def test_the_hash_is_of_what_was_sent():
    """
    The webhook is sent, too.
    """
    body = {"prompt": "x"}
    sent = encode_json(body) + b"\nhttps://h.test/?a"

    assert hashlib.sha256(encode_json(body)).hexdigest() == record(body).request_sha256
    assert (
        hashlib.sha256(sent).hexdigest()
        == record(body, webhook="https://h.test/?a").request_sha256
    )


def test_a_record_comes_back_from_disk_as_it_was():
    """
    With all that it has.
    """
    file = SavedFile(
        path="/ä.png", url="https://a.test/a", media_type="x", size_bytes=1, sha256="a"
    )
    made = record(files=(file, file), seconds=2.5, job_id="j", resent_at=NOW + 1)

    assert made == Record.from_row(made.as_row())


@pytest.mark.parametrize(
    ("body", "prompt"),
    [({"prompt": "an owl"}, "an owl"), ({"prompt": 7}, None), ({}, None)],
)
def test_a_prompt_is_text(body, prompt):
    """
    Some models have none.
    """
    assert prompt == record(body).prompt


def test_the_holder_is_this_process():
    """
    By which another one of this machine can tell whether it lives.
    """
    assert this_process() == record().holder
    assert f":{os.getpid()}:" in record().holder


@pytest.mark.parametrize(
    ("fields", "age", "in_flight"),
    [
        ({}, 0, True),
        ({}, 599, True),
        # It lives, and may have been stopped for long.
        ({}, 86400, True),
        ({"holder": f"{HERE}:{os.getpid()}:1"}, 0, False),
        ({"holder": "elsewhere:1:1"}, 599, True),
        ({"holder": "elsewhere:1:1"}, 601, False),
        ({"holder": "elsewhere:1:1", "resent_at": NOW + 86400}, 86400 + 599, True),
        ({"holder": "elsewhere:1:1", "resent_at": NOW + 86400}, 86400 + 601, False),
        # The clock was set back since, or was ahead.
        ({"holder": "elsewhere:1:1"}, -599, True),
        ({"holder": "elsewhere:1:1"}, -601, False),
        ({"holder": f"{HERE}:{10**30}:1"}, 0, True),
        ({"holder": f"{HERE}:-1:1"}, 0, True),
        ({"holder": f"{HERE}:x:1"}, 0, True),
        ({"holder": ""}, 0, True),
    ],
)
def test_a_request_is_in_flight_while_its_process_may_live(fields, age, in_flight):
    """
    Of a process that nobody can tell of, for ten minutes at most; then it is in doubt.
    Its number may be another's by now.
    """
    made = record(**fields)

    assert in_flight == made.is_in_flight(NOW + age)
    assert in_flight != made.is_unconfirmed(NOW + age)


@pytest.mark.posix
def test_a_request_of_a_dead_process_is_in_doubt(dead):
    """
    At once: nobody will say any more what became of it.  Of another machine's process
    nothing is known.
    """
    elsewhere = dead.replace(HERE, "elsewhere")

    assert record(holder=dead).is_unconfirmed(NOW)
    assert not record(holder=dead).is_in_flight(NOW)
    assert record(holder=elsewhere).is_in_flight(NOW)


@pytest.mark.parametrize("state", ["submitted", "completed", "failed", "cancelled"])
def test_what_has_a_job_is_not_in_doubt(state):
    """
    However old it is.
    """
    made = record(state=state, job_id="j")

    assert not made.is_in_flight(NOW)
    assert not made.is_unconfirmed(NOW + 86400)


def test_an_unknown_request_is_in_doubt_from_the_first_moment():
    """
    Its process said so itself.
    """
    assert record(state="unknown").is_unconfirmed(NOW)


def test_what_is_kept_is_json():
    """
    Any program can read it.
    """
    row = dict(zip(Record.__dataclass_fields__, record().as_row(), strict=True))

    assert {
        "path": "image/google/x",
        "body": {"prompt": "an owl"},
        "webhook": None,
        "inputs": [],
        "not_kept": [],
    } == json.loads(row["request"])
