from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch):
    """
    rich looks at the environment of the process: here it is that of a usual terminal,
    100 columns wide.
    """
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
