"""
Whatever the program finds around itself: it does its work or says in one clear line why
it cannot, with the right code, and never breaks.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from service import TOKEN

JOB = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"
COMMANDS = {
    "help": "--help",
    "status": f"status {JOB}",
    "jobs": "jobs list",
    "config": "config list",
    "models": "models list banana",
    "dry run": "generate an-☃ --dry-run",
    "generate": "generate an-owl --no-wait",
    "upload": "upload photo.jpg",
    "doctor": "doctor",
    "auth": "auth status",
    "unknown": "nope-☃",
}


def bare(shell):
    """
    Without any folder for krea named, nor a home.
    """
    for name in ("HOME", "KREA_CONFIG_DIR", "KREA_STATE_DIR", "KREA_CACHE_DIR"):
        del shell.env[name]


def lost_home(shell):
    bare(shell)
    shell.env["HOME"] = "/dev/null/home"


def closed_home(shell):
    """
    A home that nothing can be written to, for root neither.
    """
    bare(shell)
    shell.env["HOME"] = "/proc/self"


def folders_are_files(shell):
    for name in ("CONFIG", "STATE", "CACHE"):
        shell.env[f"KREA_{name}_DIR"] = __file__


def env(**variables):
    def around(shell):
        shell.env |= variables

    return around


SURROUNDINGS = {
    "C": env(LC_ALL="C", LANG="C"),
    "POSIX without UTF-8": env(LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"),
    "ascii": env(PYTHONIOENCODING="ascii:strict"),
    "cp1252": env(PYTHONIOENCODING="cp1252:strict"),
    "no such locale": env(LC_ALL="xx_YY.UTF-8", LANG="xx"),
    "one column": env(COLUMNS="1", LINES="1", FORCE_COLOR="1"),
    "no column": env(COLUMNS="0", FORCE_COLOR="1"),
    "odd columns": env(COLUMNS="wide", LINES="-5", FORCE_COLOR="1"),
    "odd terminal": env(TERM="nope", COLORTERM="x", FORCE_COLOR="1"),
    "odd time": env(TZ="Nowhere/Land"),
    "no temporary folder": env(TMPDIR="/dev/null/tmp"),
    "no home": bare,
    "lost home": lost_home,
    "closed home": closed_home,
    "folders are files": folders_are_files,
}
# By name; the variable at fault is the first.
CONNECTIONS = {
    "scheme": {"ALL_PROXY": "garbage://"},
    "socks": {"ALL_PROXY": "socks5://127.0.0.1:9"},
    "no host": {"HTTPS_PROXY": "http://"},
    "port": {"HTTPS_PROXY": "http://127.0.0.1:99999"},
    "bracket": {"ALL_PROXY": "http://[::1"},
    "exception": {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "[::1]"},
    "unused": {"HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks://127.0.0.1:9"},
    "blank": {"https_proxy": "http://a b"},
    "no file": {"SSL_CERT_FILE": "/dev/null/ca.pem"},
    "no certificates": {"SSL_CERT_FILE": __file__},
    "a folder": {"SSL_CERT_FILE": str(Path(__file__).parent)},
    "a device": {"SSL_CERT_FILE": "/dev/null"},
}
# What a command may end with where nothing can be kept, or told to the service.
ALLOWED = {0, 2, 4, 6, 7}


def check(result):
    assert result.code in ALLOWED, result
    assert "Traceback" not in result.err
    assert "bug" not in result.err
    if result.code:
        assert 1 == len(
            re.findall("^(?:\x1b[0-9;[]*m)?error: ", result.err, re.MULTILINE)
        )


@pytest.fixture
def around(remote, photo):
    """
    Runs a command in some surroundings, with a photograph at hand.
    """
    (remote.cwd / "photo.jpg").write_bytes(photo.read_bytes())

    def run(prepare, line):
        prepare(remote)
        return remote(*line.split())

    return run


# Each third of them in each of the surroundings, another third in the next.
MET = {
    f"{name}-{command}": (prepare, line)
    for at, (name, prepare) in enumerate(SURROUNDINGS.items())
    for command, line in [*COMMANDS.items()][at % 3 :: 3]
}


@pytest.mark.long
@pytest.mark.parametrize(("prepare", "line"), MET.values(), ids=MET)
def test_commands_in_all_surroundings(around, prepare, line):
    """
    It ends as it should, or in one error; help is always to be had.
    """
    result = around(prepare, line)

    check(result)
    if line == "--help":
        assert 0 == result.code


@pytest.mark.parametrize(
    ("name", "line", "code"),
    [
        ("POSIX without UTF-8", COMMANDS["unknown"], 2),
        pytest.param("one column", COMMANDS["models"], 0, marks=pytest.mark.long),
        ("no column", COMMANDS["unknown"], 2),
        pytest.param("lost home", COMMANDS["status"], 2, marks=pytest.mark.long),
        ("closed home", COMMANDS["generate"], 7),
    ],
)
def test_odd_surroundings(around, name, line, code):
    """
    A few that are met most: what needs nothing goes on, and what cannot be kept is not
    paid for.
    """
    result = around(SURROUNDINGS[name], line)

    check(result)
    assert code == result.code, result


def test_nothing_is_paid_where_nothing_can_be_kept(around, service):
    """
    A home that cannot be written to is found out before the request.
    """
    result = around(closed_home, "generate an-owl")

    assert 7 == result.code
    assert 0 == service.bills
    assert [] == service.requests("POST")


def nowhere(*_, **__):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_broken_connection_setting_is_one_error(krea, name, monkeypatch):
    """
    It names the variable at fault, and no other; exit 2 or 6 with the command that goes
    on, also as JSON.
    """
    for variable, value in CONNECTIONS[name].items():
        monkeypatch.setenv(variable, value)
        krea.env[variable] = value
    krea.env |= {"KREA_API_KEY": TOKEN}
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)

    result = krea("status", JOB, "--json", "--api-url", "https://krea.invalid")

    [line] = result.err.splitlines()
    error = json.loads(line)["error"]
    assert "" == result.out
    assert result.code == error["exit_code"]
    assert error["code"] in ("config", "usage", "unreachable"), error
    assert f"krea status {JOB} --api-url https://krea.invalid" in error["hint"]
    at_fault, *others = CONNECTIONS[name]
    assert at_fault in error["message"]
    assert at_fault in error["hint"]
    assert not [one for one in others if one in error["message"] + error["hint"]]


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_service_on_this_machine_needs_no_proxy(logged_in, name, monkeypatch):
    """
    What is broken for the way to others does not concern it.
    """
    for variable, value in CONNECTIONS[name].items():
        monkeypatch.setenv(variable, value)

    assert 0 == logged_in("generate", "an owl", "--no-wait").code


REDIRECTIONS = (
    ">&-",
    ">/dev/full",
    "2>&-",
    "2>/dev/full",
    "<&-",
    ">&- 2>&-",
    ">&- 2>&- <&-",
)


@pytest.mark.long
@pytest.mark.parametrize("line", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("form", ["", "--json"])
def test_every_command_with_every_stream_lost(remote, photo, line, form):
    """
    Lost results are exit 7, unless something is more urgent; lost words are nothing.
    """
    (remote.cwd / "photo.jpg").write_bytes(photo.read_bytes())
    words = line.split() if line == "--help" else [*line.split(), *form.split()]
    usual = remote(*words)

    for redirection in REDIRECTIONS:
        result = subprocess.run(
            [
                "sh",
                "-c",
                f'exec "$0" -m krea_cli "$@" {redirection}',
                sys.executable,
                *words,
            ],
            env=remote.env,
            cwd=remote.cwd,
            capture_output=True,
            text=True,
            check=False,
        )

        assert "Traceback" not in result.stderr + result.stdout
        is_lost = redirection.startswith(">") and usual.out != ""
        assert (7 if is_lost else usual.code) == result.returncode, redirection
