from __future__ import annotations

import time

import pytest


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch):
    """
    Give rich the environment of an ordinary terminal with 100 columns, and set the time
    zone to UTC.
    """
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("TZ", "UTC0")
    _set_zone()
    yield
    monkeypatch.undo()
    _set_zone()


def _set_zone():
    if hasattr(time, "tzset"):
        time.tzset()
