"""
Moments; durations are in test_settings.
"""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from krea_cli.config.durations import parse_time

NOW = 1_790_000_000.0


@pytest.fixture(autouse=True)
def _in_tokyo(monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process cannot be changed here")
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("12h", 43_200), (" 7d ", 604_800)]
)
def test_a_duration_is_so_long_ago(text, seconds):
    """
    Counted back from now.
    """
    assert NOW - seconds == parse_time(text, now=NOW)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-20", "2026-11-19T15:00:00+00:00"),
        ("2026-11-20T08:30", "2026-11-19T23:30:00+00:00"),
        ("2026-11-20 08:30:05", "2026-11-19T23:30:05+00:00"),
        ("2026-11-20T08:30:05Z", "2026-11-20T08:30:05+00:00"),
        ("2026-11-20T08:30:05-02:00", "2026-11-20T10:30:05+00:00"),
    ],
)
def test_a_date_or_time_is_local_unless_it_says_otherwise(text, utc):
    """
    A date alone is the midnight that it begins with.
    """
    assert datetime.fromisoformat(utc).timestamp() == parse_time(text, now=NOW)


@pytest.mark.parametrize(
    "text", ["", "30", "20261120", "soon", "2026-13-01", "-7d", "0d", "0001-01-01", "d"]
)
def test_no_time_is_refused_with_what_is_allowed(text):
    """
    A number alone, too: what is deleted must not hang on whether it means days.
    """
    with pytest.raises(ValueError, match="not a time"):
        parse_time(text, now=NOW)
