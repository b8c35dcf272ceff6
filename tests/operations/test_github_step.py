"""
krea in a step of GitHub Actions, and in CI as such.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import steps
import terminals
from service import answer, job, reset_after

SAID = "no\n::error::x\r##[add-mask]y ##vso[task.complete]z\n  ::stop-commands::a"
FAILURE = {"code": "nsfw", "message": SAID}
REFUSAL = {"error": SAID, "message": SAID, "detail": SAID}
CURSOR = re.compile(rb"\x1b\[[\d;?]*[A-HJKSTfhlnsu]|\x1b[78DEM]|\r(?!\n)")


@pytest.fixture
def step(logged_in, tmp_path):
    """
    The program in a step, and its two files.
    """
    logged_in.env |= {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    return logged_in


@pytest.fixture
def written(tmp_path):
    """
    What the next steps get, and the rows of the summary.
    """

    def read():
        summary = (tmp_path / "summary").read_text("utf-8")
        rows = summary.partition("---:|---|\n")[2].splitlines()
        return steps.outputs((tmp_path / "outputs").read_text("utf-8")), rows

    return read


def test_a_result_is_handed_on(step, written, tmp_path):
    """
    By generate: paths and ids one a line, the estimate for all, a row for each file;
    what stands in the two files stays.
    """
    (tmp_path / "outputs").write_text("before=1")
    (tmp_path / "summary").write_text("# Before")

    result = step("generate", "an owl", "-n", "2", "-o", "owls/", "--github")
    values, rows = written()

    assert (0, 2) == (result.code, len(rows))
    assert "1" == values["before"]
    assert result.out == f"{values['path']}\n"
    assert [Path(path).stem[:-2] for path in result.out.split()] == (
        values["job_id"].split("\n")
    )
    assert "0.3" == values["cost_usd"]
    assert (tmp_path / "summary").read_text().startswith("# Before\n\n| File |")


def test_what_is_submitted_in_one_step_is_collected_in_the_next(step, written):
    """
    job_id of the one is for the other, which has the path; so has download. Each adds
    to what the calls before it wrote, and only the first one costs.
    """
    assert 0 == step("generate", "an owl", "--no-wait", "--github").code
    job_id = written()[0]["job_id"]
    assert "" == written()[0]["path"]

    waited = step("wait", job_id, "-o", "owl.png", "--github")
    first = written()[0]
    saved = step("download", job_id, "-o", "again.png", "--github")

    wanted = {"job_id": job_id, "cost_usd": "0.15"}
    assert (0, 0) == (waited.code, saved.code)
    assert {"path": "owl.png", **wanted} == first
    assert {"path": "owl.png\nagain.png", **wanted} == written()[0]
    assert 3 == len(written()[1])


def test_a_run_that_only_collects_costs_nothing(step, written, tmp_path):
    """
    What it finds was paid for in a step before.
    """
    step("generate", "an owl", "--no-wait", "--github")
    job_id = written()[0]["job_id"]
    (tmp_path / "outputs").unlink()

    assert 0 == step("wait", job_id, "-o", "owl.png", "--github").code

    assert {"path": "owl.png", "job_id": job_id, "cost_usd": "0"} == written()[0]
    assert "paid earlier" in written()[1][-1]


def test_what_may_be_billed_is_no_cost_of_nothing(step, service, written):
    """
    Nobody knows the cost; the summary says what to do.
    """
    service.faults["POST /generate"] = [reset_after]

    assert 11 == step("generate", "an owl", "--github", "--no-wait").code
    values, rows = written()
    assert ("", "") == (values["path"], values["cost_usd"])
    assert "may be billed&#58; krea jobs recover" in rows[-1]


def test_a_failure_is_an_annotation_and_names_its_job(step, service, written):
    """
    One for each error, in every form, with --json behind the object; the outputs have
    the job, which costs nothing, and the summary says why.
    """
    for flags, lines in (((), 0), (("-q",), 0), (("--json",), 1)):
        service.faults["GET /jobs/"] = [job(status="failed", error=FAILURE)]
        result = step("generate", "an owl", "--github", *flags)
        *objects, command = result.err.splitlines()[-1 - lines :]
        [(name, properties, data)] = steps.commands(result.err)

        assert 3 == result.code
        assert ("error", {"title": "krea: job_failed"}) == (name, properties)
        assert data.endswith("\nhint: Failed jobs are not billed.")
        assert [command] == [x for x in result.err.splitlines() if "::error t" in x]
        assert ["job_failed"] * lines == [
            json.loads(each)["error"]["code"] for each in objects
        ]

    values, rows = written()
    assert ("", "0") == (values["path"], values["cost_usd"])
    assert values["job_id"]
    assert "failed&#58; no &#58;&#58;error" in rows[-1]


def test_without_a_step_nothing_is_sent(step, service):
    """
    Exit 2 without GITHUB_OUTPUT, 7 when one of the files cannot be written to.
    """
    no_step = step("generate", "an owl", "--github", env={"GITHUB_OUTPUT": ""})
    no_file = step("generate", "an owl", "--github", env={"GITHUB_OUTPUT": "no/x"})
    no_summary = step("wait", "--github", env={"GITHUB_STEP_SUMMARY": "no/x"})

    assert (2, []) == (no_step.code, steps.commands(no_step.err))
    assert "GITHUB_OUTPUT is not set" in no_step.err
    assert (7, 7) == (no_file.code, no_summary.code)
    [(_, _, data)] = steps.commands(no_file.err)
    assert data == "Cannot write to GITHUB_OUTPUT (no/x): No such file or directory."
    assert [] == service.seen


def test_a_usage_error_is_an_annotation(step):
    """
    Also of a command line that was not understood.
    """
    result = step("generate", "an owl", "--github", "--bogus")

    [(_, properties, _)] = steps.commands(result.err)
    assert (2, {"title": "krea: usage"}) == (result.code, properties)


def test_a_result_that_cannot_be_handed_on_is_told(step, tmp_path, service):
    """
    The files went away meanwhile: the path is on standard output all the same, exit 7;
    where the jobs failed as well, theirs is the exit code.
    """
    where = tmp_path / "gone"
    where.mkdir()
    at = {"GITHUB_OUTPUT": str(where / "x")}

    def failed(handler):
        where.rename(tmp_path / "elsewhere")
        job(status="failed")(handler)

    def moved(handler):
        where.rename(tmp_path / "moved")
        answer(503)(handler)

    service.faults["GET /jobs/"] = [moved]
    saved = step("generate", "an owl", "-o", "a.png", "--github", env=at)
    where.mkdir()
    service.faults["GET /jobs/"] = [failed]
    neither = step("generate", "an owl", "-o", "b.png", "--github", env=at)

    assert (7, "a.png\n") == (saved.code, saved.out)
    assert "Cannot write to GITHUB_OUTPUT" in steps.commands(saved.err)[0][2]
    assert (3, 2) == (neither.code, len(steps.commands(neither.err)))


def test_a_full_summary_is_left_as_it_is(step, tmp_path):
    """
    Beyond its limit GitHub shows nothing of it: a warning, and no failure.
    """
    (tmp_path / "summary").write_text("x" * (2**20 - 100))

    result = step("generate", "an owl", "-o", "a.png", "--github")

    assert (0, "a.png\n") == (result.code, result.out)
    assert "warning: GITHUB_STEP_SUMMARY is full" in result.err
    assert 2**20 - 100 == (tmp_path / "summary").stat().st_size


@pytest.mark.posix  # Windows has no such names
def test_names_that_would_be_commands(step, service):
    """
    One that begins as a command is told as another path of the same file; one with an
    old command in it is refused before anything is sent, as is one that is no file.
    """
    named = step("generate", "an owl", "-o", "::error::x.png")
    old = step("generate", "an owl", "-o", "##[error]x.png")
    no_file = step("generate", "an owl", "-o", "-", "--github")

    assert (0, "./::error::x.png\n") == (named.code, named.out)
    assert Path("./::error::x.png").is_file()
    assert (2, 2) == (old.code, no_file.code)
    assert 1 == service.bills


@pytest.mark.parametrize(
    ("flags", "is_terminal"),
    [
        (("-v",), False),
        (("--json",), False),
        (("--color", "always"), True),
    ],
)
def test_foreign_words_are_no_commands(step, service, flags, is_terminal):
    """
    Neither what the service says, as a status, a reason or a refusal, nor a prompt from
    elsewhere is obeyed by the runner, wherever it is told.
    """
    step.is_terminal = is_terminal
    said = []

    def runs(*words):
        result = step(*words, *flags)
        said.append(result.out + result.err)
        return result.code

    service.faults["GET /jobs/"] = [
        job(status="::error::x ##[error]y"),
        job(status="failed", error=FAILURE),
    ]
    service.faults["POST /generate"] = [None, answer(400, REFUSAL), answer(402, SAID)]

    assert 3 == runs("generate", SAID)
    assert 2 == runs("generate", SAID)
    assert 5 == runs("generate", SAID)
    assert 0 == runs("generate", SAID, "--dry-run")
    assert 0 == runs("jobs", "list")
    assert 0 == runs("jobs", "show")
    assert 2 == runs("status", "::error::x")
    assert 2 == runs("generate", "an owl", "-m", "::error::##[error]x")
    assert 2 == runs("generate", "::error::x", "--##[error]")
    assert "stop-commands" in said[0]
    assert [] == steps.commands("\n".join(said))


def test_ci_is_no_terminal_though_it_is_one(remote, logged_in, time):
    """
    On a real one nothing moves the cursor, nothing is asked, and what is forced is
    colour alone.
    """
    job_id = logged_in("generate", "an owl", "--no-wait").out.strip()
    time.elapsed += 60
    env = remote.env | {"TERM": "xterm-256color", "CI": "1", "FORCE_COLOR": "1"}
    words = (sys.executable, "-m", "krea_cli", "wait", job_id, "-o", "a.png")

    shown = terminals.run(words, env=env)

    assert 0 == shown.code
    assert [] == CURSOR.findall(shown.output)
    assert b"\x1b[1;32msaved" in shown.output
    assert job_id.encode() in shown.output
