from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from conftest import png
from service import job

pytestmark = pytest.mark.long

ID = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"


def redirected(remote, redirection, *words):
    command = f'exec "$0" -m krea_cli "$@" {redirection}'
    return subprocess.run(
        ["sh", "-c", command, sys.executable, *words],
        env=remote.env,
        cwd=remote.cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def finished(logged_in, time):
    """
    The id of a job that is completed.
    """
    job_id = logged_in("generate", "an owl", "--no-wait").out.strip()
    time.elapsed += 60
    return job_id


@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        (">&-", "Standard output is closed; output was lost."),
        (">/dev/full", "Cannot write to standard output: No space left on device."),
    ],
)
@pytest.mark.parametrize(
    "words", ["--help", "status --help", "--version", "status @last"]
)
def test_lost_output_is_exit_7(remote, finished, redirection, said, words):
    """
    One line says so; nothing pretends to have been told.
    """
    result = redirected(remote, redirection, *words.split())

    assert (7, f"error: {said}\n") == (result.returncode, result.stderr)


@pytest.mark.parametrize("form", [[], ["-q"], ["--json"]])
def test_what_is_saved_stays_saved_when_its_path_cannot_be_told(remote, finished, form):
    """
    Exit 7, the file is whole, the one line names the job and where its file is, and
    nobody is told to fetch it again.
    """
    words = ("download", finished, "-o", "out.png", *form)
    result = redirected(remote, ">/dev/full", *words)

    [line] = result.stderr.splitlines()
    assert 7 == result.returncode
    assert f"Job {finished} was saved: out.png." in line
    assert "krea" not in line
    if "--json" in form:
        error = json.loads(line)["error"]
        assert (finished, None, 7) == (
            error["job_id"],
            error["hint"],
            error["exit_code"],
        )
    assert png() == (remote.cwd / "out.png").read_bytes()


def test_an_id_that_cannot_be_told_on_standard_output_is_told_elsewhere(
    remote, service
):
    """
    A job was paid for: standard error has what standard output lost.
    """
    result = redirected(remote, ">/dev/full", "generate", "an owl", "--no-wait")
    [made] = service.store.jobs()

    assert 7 == result.returncode
    assert f"krea wait {made.job_id} -o ." in result.stderr


def test_a_job_that_failed_is_told_though_standard_output_is_full(
    remote, service, time
):
    """
    What went wrong with one job, and where the file of the other is: both are said.
    """
    good, bad = remote("generate", "an owl", "--no-wait", "-n", "2").out.split()
    time.elapsed += 60
    service.faults[f"GET /jobs/{bad}"] = [job(status="failed")] * 2

    result = redirected(remote, ">/dev/full", "download", good, bad)

    assert 7 == result.returncode
    assert f"Job {bad} failed" in result.stderr
    assert f"Job {good} was saved: {good}-1.png." in result.stderr
    assert "krea" not in result.stderr


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_nothing_is_given_up_for_want_of_standard_error(remote, finished, redirection):
    """
    The work goes on, and the code says how it ended.
    """
    result = redirected(remote, redirection, "download", finished, "-o", "a.png", "-v")

    assert (0, "a.png\n") == (result.returncode, result.stdout)


def test_a_reader_that_went_away_changes_nothing(remote, finished):
    """
    `| head -1`: the file is saved, exit 0; a job that failed is still exit 3.
    """
    read, write = os.pipe()
    os.close(read)

    saved = remote("download", finished, "-o", "a.png", stdout=write)
    missing = remote("status", finished, ID, stdout=write)
    os.close(write)

    assert (0, "") == (saved.code, saved.err)
    assert png() == (remote.cwd / "a.png").read_bytes()
    assert 9 == missing.code


def test_bytes_that_nobody_reads_are_no_success(remote, finished):
    """
    -o - to a reader that went away: the result is not delivered, and free to be had.
    """
    read, write = os.pipe()
    os.close(read)

    result = remote("download", finished, "-o", "-", stdout=write)
    os.close(write)

    assert 7 == result.code
    assert f"krea download {finished} -o .\n" in result.err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_an_encoding_lacks_is_escaped(remote, encoding):
    """
    Not even where errors are to be strict is it a crash.
    """
    remote.env["PYTHONIOENCODING"] = f"{encoding}:strict"

    result = remote("generate", "a fox \u2603", "--dry-run")
    refused = remote("status", "\u2603")

    assert (0, 2) == (result.code, refused.code)
    assert r'"a fox \u2603"' in result.out
    assert r"'\u2603' is not a job id" in refused.err
