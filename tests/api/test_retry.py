from __future__ import annotations

import email.utils
from time import tzset

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krea_cli.api.retry import retry, retry_after
from krea_cli.errors import (
    ConnectionFailedError,
    InvalidResponseError,
    RateLimitError,
    RequestRejectedError,
    ResponseLostError,
    ServerError,
)

NOW = 1_790_000_000


class Work:
    """
    Fails with each error in turn, and then succeeds.
    """

    def __init__(self, *errors):
        self.errors = list(errors)
        self.tries = 0

    def __call__(self):
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def limited(seconds):
    error = RateLimitError("wait")
    error.retry_after = seconds
    return error


@pytest.mark.parametrize(
    "kind", [ConnectionFailedError, ResponseLostError, ServerError, RateLimitError]
)
def test_a_passing_failure_is_tried_again(time, kind):
    """
    Up to four times in all, with longer and longer pauses.
    """
    work = Work(*[kind("x")] * 3)

    assert "done" == retry(work, clock=time.clock)
    assert 4 == work.tries
    for slept, longest in zip(time.slept, (0.5, 1, 2), strict=True):
        assert longest / 2 <= slept <= longest


def test_the_last_failure_is_raised(time):
    """
    After four tries it is no passing trouble.
    """
    work = Work(*[ServerError(str(n)) for n in range(9)])

    with pytest.raises(ServerError, match="3"):
        retry(work, clock=time.clock)

    assert (4, 3) == (work.tries, len(time.slept))


@pytest.mark.parametrize(
    "error", [InvalidResponseError("x"), RequestRejectedError("x"), ValueError("x")]
)
def test_another_failure_is_raised_at_once(time, error):
    """
    Nothing is gained by asking again.
    """
    work = Work(error)

    with pytest.raises(type(error)):
        retry(work, clock=time.clock)

    assert (1, []) == (work.tries, time.slept)


def test_who_calls_says_what_passes(time):
    """
    A lost answer is final where it may have cost something.
    """
    work = Work(ConnectionFailedError("x"), ResponseLostError("x"))

    with pytest.raises(ResponseLostError):
        retry(work, clock=time.clock, temporary_errors=(ConnectionFailedError,))

    assert 2 == work.tries


def test_pauses_differ_from_run_to_run(time):
    """
    Clients that failed together do not come back together.
    """
    for _ in range(20):
        retry(Work(ServerError("x")), clock=time.clock)

    assert len(set(time.slept)) > 10


def test_what_the_service_asks_for_is_obeyed(time):
    """
    To the second.
    """
    retry(Work(limited(2.0), limited(17.5)), clock=time.clock)

    assert [2.0, 17.5] == time.slept


def test_a_pause_beyond_the_deadline_is_not_begun(time):
    """
    It is given up at once, not after waiting in vain.
    """
    work = Work(limited(10.1))

    with pytest.raises(RateLimitError):
        retry(work, clock=time.clock, deadline=10.0)

    assert (1, []) == (work.tries, time.slept)
    assert "done" == retry(Work(limited(9.9)), clock=time.clock, deadline=10.0)


def test_without_a_deadline_a_minute_is_enough(time):
    """
    Nobody waits for an hour because a header says so.
    """
    with pytest.raises(RateLimitError):
        retry(Work(limited(1e9)), clock=time.clock)

    assert [] == time.slept


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        (" 2.5 ", 2.5),
        ("1e9", 1e9),
        (email.utils.formatdate(NOW + 30, usegmt=True), 30.0),
        (email.utils.formatdate(NOW - 30, usegmt=True), None),
        ("0", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e308", None),
        ("soon", None),
        ("", None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
        (None, None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(header, seconds):
    """
    What is past, negative or no sense is no advice.
    """
    assert seconds == retry_after(header, NOW)


@pytest.mark.parametrize("zone", ["", " -0000", " GMT"])
def test_a_date_without_a_zone_is_of_utc(monkeypatch, zone):
    """
    Wherever the user lives.
    """
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    tzset()
    date = email.utils.formatdate(NOW + 30).removesuffix(" -0000")
    seconds = retry_after(date + zone, NOW)
    monkeypatch.undo()
    tzset()

    assert 30.0 == seconds


@given(st.text())
def test_any_header_is_advice_or_none(header):
    """
    Never a crash, never a pause that has no end.
    """
    seconds = retry_after(header, NOW)

    assert seconds is None or 0 < seconds < float("inf")
