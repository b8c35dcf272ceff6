from __future__ import annotations

import json
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krea_cli.api import responses
from krea_cli.api.http_types import Response
from krea_cli.cli.next_steps import NextSteps
from krea_cli.errors import (
    BalanceError,
    ExitCode,
    InvalidResponseError,
    KreaError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    TokenRejectedError,
)

LEAVES = st.sampled_from(
    [None, True, 0, -1, 1e300, "", " ", "words", "\ud800", "\x1b[2J", [], {}, [[]]]
)
KEYS = st.sampled_from(
    ["error", "message", "reason", "detail", "issues", "replacement", "path", "loc"]
)
INNER = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(KEYS, LEAVES)
BODIES = st.dictionaries(KEYS, INNER | st.lists(INNER, max_size=3))


def read(status, body=None, *, content=None, headers=None):
    content = json.dumps(body).encode() if content is None else content
    return responses.read(
        Response(status, headers or {}, content), host="api.test", wall=1_790_000_000
    )


def refusal(*body, **answered):
    with pytest.raises(KreaError) as caught:
        read(*body, **answered)
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_good_answer_is_its_object(status):
    """
    Any success will do.
    """
    assert {"job_id": "j"} == read(status, {"job_id": "j"})


def test_no_content_is_an_empty_object():
    """
    204 has nothing to read.
    """
    assert {} == read(204, content=b"")


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [
        (400, RequestRejectedError, ExitCode.USAGE),
        (401, TokenRejectedError, ExitCode.TOKEN),
        (402, BalanceError, ExitCode.BALANCE),
        (403, TokenRejectedError, ExitCode.TOKEN),
        (404, RequestRejectedError, ExitCode.USAGE),
        (405, RequestRejectedError, ExitCode.USAGE),
        (408, ServerError, ExitCode.SERVICE),
        (409, RequestRejectedError, ExitCode.USAGE),
        (410, RequestRejectedError, ExitCode.USAGE),
        (413, RequestRejectedError, ExitCode.USAGE),
        (414, RequestRejectedError, ExitCode.USAGE),
        (415, RequestRejectedError, ExitCode.USAGE),
        (417, RequestRejectedError, ExitCode.USAGE),
        (418, InvalidResponseError, ExitCode.SERVICE),
        (422, RequestRejectedError, ExitCode.USAGE),
        (425, RateLimitError, ExitCode.SERVICE),
        (429, RateLimitError, ExitCode.SERVICE),
        (431, RequestRejectedError, ExitCode.USAGE),
        (451, RequestRejectedError, ExitCode.USAGE),
        (500, ServerError, ExitCode.SERVICE),
        (502, ServerError, ExitCode.SERVICE),
        (503, ServerError, ExitCode.SERVICE),
        (504, ServerError, ExitCode.SERVICE),
        (524, ServerError, ExitCode.SERVICE),
    ],
)
def test_each_status_is_its_error(status, kind, exit_code):
    """
    The kind and the exit code, with the status and the reason in the message.
    """
    error = refusal(status, {"error": "because of it"})

    assert (kind, exit_code) == (type(error), error.exit_code)
    assert str(status) in error.message
    assert "because of it" in error.message


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("KREA_API_TOKEN", "Set KREA_API_TOKEN to a valid token."),
        ("keyring", "Log in: krea auth login"),
    ],
)
def test_a_rejected_token_is_told_with_its_place(source, hint):
    """
    The place that it came from, and what to do there; nowhere else is named.
    """
    answer = Response(401, {}, b"{}")

    with pytest.raises(TokenRejectedError, match=f"token from {source} ") as caught:
        responses.read(answer, host="h", wall=0.0, token_source=source)

    said = "\n".join(NextSteps().lines(caught.value.advice))
    assert hint in said
    assert "KREA_API_KEY" not in said


def test_a_refusal_keeps_its_status():
    """
    What 404 means is for the caller to say.
    """
    assert 404 == refusal(404, {}).status


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_no_answer(status):
    """
    Whatever stands between may have passed the request on: exit 6 with a hint, and to
    a paid request it is in doubt.
    """
    error = refusal(status, {})

    assert InvalidResponseError is type(error)
    assert "API URL" in error.hint


def test_see_other_may_be_the_answer_to_an_order():
    """
    303 is how some services say that they took a request: what happened is unknown.
    """
    assert InvalidResponseError is type(refusal(303, {}))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error": "No such field"}, "No such field"),
        ({"message": "Unauthorized"}, "Unauthorized"),
        ({"error": {"code": "x", "message": "Too large."}}, "Too large"),
        ({"error": {"code": "LIMIT_REACHED"}}, "LIMIT_REACHED"),
        ({"error": "bad", "message": "bad"}, "): bad"),
        ({"detail": "Not found"}, "Not found"),
        (
            {"detail": [{"loc": ["body", "seed"], "msg": "too large", "type": "x"}]},
            "body.seed: too large",
        ),
        (
            {"issues": [{"path": ["image_urls", 0], "message": "Invalid asset URL"}]},
            "image_urls.0: Invalid asset URL",
        ),
        ({"errors": ["first", {"path": "a", "message": "no"}]}, "first; a: no"),
        (
            {
                "error": "model_unavailable",
                "reason": "deprecated",
                "replacement": "image/google/nano-banana-2",
            },
            "model_unavailable; deprecated; use image/google/nano-banana-2",
        ),
        ({"error": "two\nlines   \t of it"}, "two lines of it"),
        (
            {"error": 5, "message": ["x"], "detail": {"msg": 7}},
            "without giving a reason.",
        ),
        ({"detail": [{"loc": [[["x"]], 5], "msg": "deep"}]}, "): 5: deep"),
        ({}, "without giving a reason."),
        ([], "without giving a reason."),
        ("text", "without giving a reason."),
    ],
)
def test_the_reason_is_found_in_every_form(body, reason):
    """
    "error", "message", lists of issues: whichever of them has words.
    """
    assert reason in refusal(422, body).message


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><p>Log in", "an HTML page"),
        (b"\n <html>", "an HTML page"),
        (b"", "an empty response"),
        (b" \n", "an empty response"),
        (b"Bad gateway", "unreadable data"),
        (b'{"job_id": "j"', "unreadable data"),
        (b'{"a": NaN}', "unreadable data"),
        (b'{"a": -Infinity}', "unreadable data"),
        (b'{"a": ' + b"9" * 5000 + b"}", "unreadable data"),
        (b"[" * 200_000, "unreadable data"),
        (b'{"a":' * 200_000, "unreadable data"),
        (b"\xff\xfe\x00", "unreadable data"),
        (b"null", "unreadable data"),
        (b"[{}]", "unreadable data"),
        (b"5", "unreadable data"),
    ],
)
def test_what_is_no_object_is_named(status, content, kind):
    """
    Said in a few words, and never a crash. A refusal without a reason needs no more
    than its status, unless a page in its place says that somebody else has answered.
    """
    error = refusal(status, content=content)

    if status == 502 and kind != "an HTML page":
        kind = "(502)."
    assert kind in error.message
    assert ExitCode.SERVICE == error.exit_code


def test_a_date_is_by_the_clock_of_the_answer():
    """
    A service whose clock is an hour ahead means the same three seconds.
    """
    dates = {"Date": formatdate(3600), "Retry-After": formatdate(3603)}

    assert 3.0 == refusal(503, {}, headers=dates).retry_after


def test_html_is_also_told_by_its_type():
    """
    A page may begin with anything.
    """
    error = refusal(200, content=b"hello", headers={"Content-Type": "text/html"})

    assert "an HTML page" in error.message
    assert "login page" in error.hint


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_other_encodings_are_read(encoding):
    """
    JSON says itself how it is encoded.
    """
    assert {"a": "ü"} == read(200, content='{"a": "ü"}'.encode(encoding))


def test_a_long_reason_is_cut():
    """
    A message stays readable.
    """
    message = refusal(500, {"error": "word " * 10_000}).message

    assert 400 < len(message) < 600
    assert "…" in message


@pytest.mark.parametrize("status", [429, 503])
def test_how_long_to_wait_is_kept_and_told(status):
    """
    Retry-After, for who repeats and for who reads.
    """
    error = refusal(status, {}, headers={"Retry-After": "90"})

    assert 90 == error.retry_after
    assert "90 s" in error.hint


@given(status=st.integers(200, 599), body=BODIES)
def test_any_object_is_read_or_one_of_our_errors(status, body):
    """
    No form of a body is a crash, and no message is without words.
    """
    try:
        got = read(status, body)
    except KreaError as exc:
        got = {"told": exc.message.strip()}

    assert isinstance(got, dict)
    assert got.get("told") != ""


@given(status=st.integers(200, 599), content=st.binary())
def test_any_bytes_are_read_or_one_of_our_errors(status, content):
    """
    Nor are bytes that are no JSON at all.
    """
    try:
        got = read(status, content=content)
    except KreaError as exc:
        got = {"told": exc.message.strip()}

    assert isinstance(got, dict)
    assert got.get("told") != ""
