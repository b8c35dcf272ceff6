"""
With --json a script meets one language, however the program ends: objects on standard
output, one a line, or nothing; objects on standard error, the last of them the error
when there is one.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from conftest import png
from service import answer, html, job, reset, reset_after

JOB = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"
KEYS = ["code", "message", "details", "hint", "exit_code", "job_id", "record"]

# Command lines that are not understood, with --json wherever it may stand.
MISUSED = [
    "--json",
    "--json status",
    "--json status --nope",
    "--json nope",
    "nope --json",
    "--nope --json",
    "--version --json",
    "--json --help",
    "jobs --json",
    "jobs nope --json",
    "jobs --json list",
    "jobs list --limit x --json",
    "jobs list --json --limit 0",
    "jobs list --since yesterday --json",
    "jobs list --status nope --json",
    "jobs show nope --json",
    "jobs forget --json",
    "jobs recover abcd --json",
    "jobs recover --forget --resubmit --json",
    "status --nope --json",
    "status --json=1",
    "status nope --json",
    "status --json --color",
    "status --json --color purple",
    "status --json --sandbox --api-url https://a.b",
    "status --json --api-url http://a.b",
    "wait --json --timeout soon",
    "wait --json",
    "download --json -o -",
    "cancel --json",
    "generate --json",
    "generate a --json",
    "generate an-owl -- --json",
    "generate an-owl --json -m nope",
    "generate an-owl --json -p nope",
    "generate an-owl --json -p nope=1",
    "generate an-owl --json -i nope.png",
    "generate an-owl --json -o nope/a.png",
    "generate an-owl --json -o a.xyz",
    "generate an-owl --json -n 0",
    "generate an-owl --json --max-cost nan",
    "generate an-owl --json --max-cost 0.01",
    "generate --prompt-file nope --json",
    "generate - -i - --json",
    "replay --json",
    "replay nope.json --json",
    "upload --json",
    "upload nope --json",
    "show --json",
    "show nope --json",
    "models show --json",
    "models show nope --json",
    "config get --json",
    "config get nope --json",
    "config set --json",
    "config set color purple --json",
    "auth nope --json",
    "auth login --json",
    "auth logout --json",
    "help nope --json",
    "sandbox serve --port x --json",
]


def check(result):
    """
    Both streams hold objects alone; the last on standard error is the error, if the
    program did not end well.
    """
    results, said = (
        [json.loads(line) for line in stream.splitlines()]
        for stream in (result.out, result.err)
    )
    assert all(isinstance(each, dict) for each in results)
    assert {"error", "warning", "log"} >= {key for each in said for key in each}
    errors = [each["error"] for each in said if "error" in each]
    if result.code:
        assert [*said[-1]] == ["error"]
        assert result.code == errors[-1]["exit_code"]
    else:
        assert [] == errors
    for error in errors:
        assert [*error] == KEYS
        assert error["message"]
        assert error["code"] != "bug"


@pytest.mark.parametrize("line", MISUSED)
def test_what_is_not_understood_is_one_object(krea, line):
    """
    Standard output is empty, and standard error has the error alone.
    """
    result = krea(*line.split())

    assert result.code in (2, 4, 5, 7)
    assert "" == result.out
    check(result)
    assert 1 == len(result.err.splitlines())


def broken_config(krea, service):
    path = Path(krea.env["KREA_CONFIG_DIR"], "config.toml")
    path.parent.mkdir()
    path.write_text("color = \n")
    return 2, ["status", "--json"]


def broken_journal(krea, service):
    path = Path(krea.env["KREA_STATE_DIR"], "journal.db")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"no database" * 500)
    return 7, ["generate", "an owl", "--json"]


def damaged_record(krea, service):
    krea("generate", "an owl", "--no-wait")
    path = Path(krea.env["KREA_STATE_DIR"], "journal.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE records SET state = 'lost'")
    return 0, ["jobs", "list", "--json"]


def no_token(krea, service):
    del krea.env["KREA_API_KEY"]
    return 4, ["status", JOB, "--json"]


def rejected(krea, service):
    krea.env["KREA_API_KEY"] = "another-token"
    return 4, ["generate", "an owl", "--json"]


def no_balance(krea, service):
    service.faults["POST /generate"] = [answer(402, {"error": "empty"})]
    return 5, ["generate", "an owl", "--json"]


def refused(krea, service):
    service.faults["POST /generate"] = [answer(422, {"error": "no"})]
    return 2, ["generate", "an owl", "--json", "-n", "2"]


def in_doubt(krea, service):
    service.faults["POST /generate"] = [reset_after]
    return 11, ["generate", "an owl", "--json", "-v"]


def after_a_doubt(krea, service):
    service.faults["POST /generate"] = [reset]
    krea("generate", "an owl")
    return 0, ["generate", "an owl", "--json", "--no-wait", "-v"]


def unreachable(krea, service):
    return 6, ["status", JOB, "--json", "--api-url", "http://127.0.0.1:9"]


def a_web_page(krea, service):
    service.faults["GET /jobs"] = [html()] * 9
    return 6, ["status", JOB, "--json"]


def failed(krea, service):
    service.faults["GET /jobs"] = [job(status="failed")] * 9
    return 3, ["generate", "an owl", "--json"]


def cancelled(krea, service):
    service.faults["GET /jobs"] = [job(status="cancelled")] * 9
    return 10, ["generate", "an owl", "--json"]


def no_result(krea, service):
    service.faults["GET /jobs"] = [job(status="completed")] * 40
    return 3, ["generate", "an owl", "--json"]


def late(krea, service):
    return 8, ["generate", "an owl", "--json", "--timeout", "1s"]


def some(krea, service):
    service.faults["GET /jobs"] = [job(status="failed")]
    return 9, ["generate", "an owl", "--json", "-n", "2"]


def not_there(krea, service):
    service.faults["GET /results"] = [answer(404, {})] * 40
    return 7, ["generate", "an owl", "--json"]


def existing(krea, service):
    Path("a.png").write_bytes(png())
    return 7, ["generate", "an owl", "--json", "-o", "a.png"]


def unknown(krea, service):
    return 2, ["wait", JOB, "--json", "-v"]


def well(krea, service):
    return 0, ["generate", "an owl", "--json", "-v", "-o", "a.png"]


ENDINGS = [
    *(broken_config, broken_journal, damaged_record, no_token, rejected, no_balance),
    *(refused, in_doubt, after_a_doubt, unreachable, a_web_page, failed, cancelled),
    *(no_result, late, some, not_there, existing, unknown, well),
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_however_it_ends_all_is_json(logged_in, service, ending):
    """
    Results, warnings, logs and errors, each in its place and with its keys; the exit
    code is in the error, too.
    """
    code, words = ending(logged_in, service)

    result = logged_in(*words)

    assert code == result.code, result
    check(result)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&-", ">/dev/full"])
def test_a_stream_that_is_lost_leaves_the_other_as_it_is(remote, redirection):
    """
    What can be told is told in JSON, and the exit code says the rest.
    """
    result = subprocess.run(
        [
            *(
                "sh",
                "-c",
                f'exec "$0" -m krea_cli models show nope --json {redirection}',
            ),
            sys.executable,
        ],
        env=remote.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (2, "") == (result.returncode, result.stdout)
    if redirection.startswith("2"):
        assert "" == result.stderr
    else:
        assert KEYS == [*json.loads(result.stderr)["error"]]
