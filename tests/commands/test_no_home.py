"""
A container that gives its user no home, neither by HOME nor in the user database.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def homeless(logged_in, monkeypatch):
    monkeypatch.setattr("krea_cli.config.paths._usual", lambda _: None)
    for name in ("HOME", "KREA_CONFIG_DIR", "KREA_STATE_DIR", "KREA_CACHE_DIR"):
        del logged_in.env[name]
    return logged_in


@pytest.mark.parametrize(
    "line",
    [
        "generate owl --dry-run",
        "generate owl --no-journal -o owl.png",
        "models list",
        "models show nano-banana-pro",
        "config list",
        "auth status",
    ],
)
def test_what_keeps_nothing_needs_no_home(homeless, line):
    """
    Missing settings and a missing cache are as empty ones.
    """
    result = homeless(*line.split())

    assert 0 == result.code, result
    assert "home" not in result.err


@pytest.mark.parametrize("journal", [[], ["--no-journal"]])
def test_the_sandbox_needs_no_home(homeless, monkeypatch, tmp_path, journal):
    """
    It is told that its jobs are not kept; no folder of it is left.
    """
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    words = ("generate", "owl", "-o", "owl.png", *journal, "--sandbox")

    result = homeless(*words, env={"KREA_API_URL": ""})

    assert (0, "owl.png\n") == (result.code, result.out)
    assert 1 == result.err.count("No home folder found")
    assert ["owl.png"] == [path.name for path in Path.cwd().iterdir()]
    assert [] == list(temporary.iterdir())


@pytest.mark.parametrize("line", ["generate owl", "jobs list", "config set model x"])
def test_what_keeps_something_names_every_missing_variable(homeless, service, line):
    """
    In one error, before anything is sent.
    """
    result = homeless(*line.split(), "--json")

    error = json.loads(result.err)["error"]
    assert (2, "config") == (result.code, error["code"])
    assert (
        "HOME, or KREA_CONFIG_DIR, KREA_STATE_DIR and KREA_CACHE_DIR" in (error["hint"])
    )
    assert [] == service.requests("POST")


def test_doctor_tells_it_once(homeless):
    """
    The other checks are made.
    """
    result = homeless("doctor", "--json")

    found = [json.loads(line) for line in result.out.splitlines()]
    faults = [each["check"] for each in found if each["state"] == "fault"]
    assert 2 == result.code
    assert ["journal"] == faults
    assert "terminal" == found[-1]["check"]
