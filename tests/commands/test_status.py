from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from service import answer, job

UNKNOWN = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"


@pytest.fixture
def submitted(logged_in):
    """
    Submits so many jobs in one call: their ids.
    """

    def submit(count=1):
        result = logged_in("generate", "an owl", "--no-wait", "-n", count)
        return result.out.split()

    return submit


def test_a_pipe_gets_id_and_status(logged_in, submitted, time):
    """
    A line for each job, in the order asked for; nothing else anywhere.
    """
    first, second = submitted(2)

    before = logged_in("status", second, first)
    time.elapsed += 60
    after = logged_in("status", second, first)

    assert (0, f"{second}\tqueued\n{first}\tqueued\n") == (before.code, before.out)
    assert f"{second}\tcompleted\n{first}\tcompleted\n" == after.out
    assert "" == before.err + after.err


def test_a_person_gets_a_table(logged_in, submitted):
    """
    With what the journal knows of the job: its model.
    """
    [job_id] = submitted()
    logged_in.is_terminal = True

    result = logged_in("status", job_id, "--color", "never")

    assert (0, 2) == (result.code, len(result.out.splitlines()))
    assert result.out.startswith("JOB ")
    assert f"{job_id}  queued" in result.out


def test_json_is_the_job_object(logged_in, submitted, time):
    """
    One object a line, with model and seed of the journal and the URLs of the service.
    """
    [job_id] = logged_in(
        "generate", "an owl", "--no-wait", "-p", "seed=7", "-m", "bfl/flux-1-dev"
    ).out.split()
    time.elapsed += 60

    told = json.loads(logged_in("status", job_id, "--json").out)

    assert (job_id, "completed") == (told["job_id"], told["status"])
    assert ("bfl/flux-1-dev", 7) == (told["model"], told["seed"])
    assert 1 == len(told["urls"])
    assert [] == told["files"]


ENDINGS = {
    "completed": 0,
    "failed": 3,
    "cancelled": 10,
    "queued": 8,
    "intermediate-complete": 8,
    "a new word": 8,
}


@pytest.mark.parametrize(("state", "code"), ENDINGS.items())
def test_the_exit_code_can_be_that_of_the_job(
    logged_in, submitted, service, state, code
):
    """
    With --exit-status, as `wait` would end, and the error says why; without it any
    state that was seen is a success.  Standard output is the same.
    """
    [job_id] = submitted()
    result = {"urls": ["https://x.example/a.png"]}
    service.faults["GET /jobs"] = [job(status=state, result=result)] * 3

    plain = logged_in("status", job_id)
    asked = logged_in("status", job_id, "--exit-status")
    as_json = logged_in("status", job_id, "--exit-status", "--json")

    assert (0, "") == (plain.code, plain.err)
    assert (code, plain.out) == (asked.code, asked.out)
    assert (code, state) == (as_json.code, json.loads(as_json.out)["status"])
    if code:
        error = json.loads(as_json.err)["error"]
        assert (code, job_id) == (error["exit_code"], error["job_id"])
    if code == 8:
        assert f"krea wait {job_id} -o ." in asked.err


def test_the_exit_code_of_several_is_that_of_the_most_urgent(
    logged_in, submitted, service
):
    """
    Running before failed, and partial success when some are completed.
    """
    first, second = submitted(2)
    done = job(status="completed", result={"urls": ["https://x.example/a.png"]})
    failed, running = job(status="failed"), job(status="processing")
    words = ("status", first, second, "--exit-status")
    codes = []

    for pair in ([done, done], [done, failed], [failed, failed], [failed, running]):
        service.faults["GET /jobs"] = list(pair)
        codes.append(logged_in(*words).code)

    assert [0, 9, 3, 8] == codes


def test_without_a_job_the_last_are_meant(logged_in, submitted):
    """
    All jobs of the last generate, as with @last, and each once.
    """
    submitted()
    last = submitted(2)

    lines = "".join(f"{job_id}\tqueued\n" for job_id in last)

    assert lines == logged_in("status").out
    assert lines == logged_in("status", "@last", last[0]).out


def test_the_beginning_of_an_id_is_enough(logged_in, submitted):
    """
    Eight characters that the journal knows; fewer are exit 2.
    """
    [job_id] = submitted()

    found = logged_in("status", job_id[:8])
    short = logged_in("status", job_id[:7])

    assert f"{job_id}\tqueued\n" == found.out
    assert 2 == short.code
    assert "too short" in short.err


def test_a_beginning_of_several_is_refused(logged_in, submitted, env):
    """
    Nothing is guessed, nothing asked.
    """
    ids = submitted(2)
    with sqlite3.connect(Path(env["KREA_STATE_DIR"], "journal.db")) as db:
        for job_id in ids:
            db.execute(
                "UPDATE records SET job_id = 'abcdefgh' || job_id WHERE job_id = ?",
                (job_id,),
            )
    db.close()

    result = logged_in("status", "abcdefgh")

    assert 2 == result.code
    assert "matches 2 jobs" in result.err


def test_an_id_that_nobody_knows_is_exit_2(logged_in):
    """
    The service was asked, without a journal; nothing is on standard output.
    """
    result = logged_in("status", UNKNOWN)

    assert (2, "") == (result.code, result.out)
    assert f"error: Job {UNKNOWN} not found.\n" in result.err


def test_a_well_formed_id_needs_no_journal(logged_in, submitted, env):
    """
    A job of another machine can be looked at; no journal comes about by looking.
    """
    [job_id] = submitted()
    elsewhere = Path(env["KREA_STATE_DIR"]).with_name("elsewhere")

    result = logged_in("status", job_id, env={"KREA_STATE_DIR": str(elsewhere)})

    assert (0, f"{job_id}\tqueued\n") == (result.code, result.out)
    assert not elsewhere.exists()


def test_one_unknown_of_several_is_exit_9(logged_in, submitted):
    """
    The others are told; standard error has the one, and that it is one of two.
    """
    [job_id] = submitted()

    text = logged_in("status", UNKNOWN, job_id)
    told = logged_in("status", UNKNOWN, job_id, "--json")
    errors = [json.loads(line)["error"] for line in told.err.splitlines()]

    assert (9, f"{job_id}\tqueued\n") == (text.code, text.out)
    assert UNKNOWN in text.err
    assert 9 == told.code
    assert job_id == json.loads(told.out)["job_id"]
    assert [("unknown_job", UNKNOWN), ("several", None)] == [
        (error["code"], error["job_id"]) for error in errors
    ]


def test_all_unknown_is_exit_2(logged_in):
    """
    There is nothing to tell of any.
    """
    result = logged_in("status", UNKNOWN, UNKNOWN.replace("9", "8"))

    assert (2, "") == (result.code, result.out)


def test_to_look_at_a_failed_job_is_no_failure(logged_in, submitted, service):
    """
    Exit 0: the status was told, with its reason.
    """
    [job_id] = submitted()
    service.faults["GET /jobs/"] = [job(status="failed", error="No bears.")]
    logged_in.is_terminal = True

    result = logged_in("status", job_id, "--color", "never")

    assert (0, "") == (result.code, result.err)
    assert f"{job_id}: No bears.\n" in result.out


@pytest.mark.parametrize(("status", "code"), [(401, 4), (403, 4), (500, 6), (429, 6)])
def test_a_service_that_does_not_answer(logged_in, service, status, code):
    """
    Told by its kind, after a few tries where trying helps.
    """
    service.faults["GET /jobs/"] = [answer(status, {"error": "because"})] * 9

    result = logged_in("status", UNKNOWN)

    assert (code, "") == (result.code, result.out)
    assert "because" in result.err
    assert (1 if code == 4 else 4) == len(service.requests("GET /jobs/"))


def test_nothing_is_written(logged_in, submitted):
    """
    Looking leaves no file in the folder.
    """
    [job_id] = submitted()

    logged_in("status", job_id)

    assert [] == list(Path().iterdir())


def test_a_last_job_elsewhere_is_hinted_at(logged_in, krea):
    """
    Who forgot --sandbox is told where the jobs are, by every command that needs some.
    """
    krea("generate", "a cat", "--no-wait", "--sandbox")

    result = logged_in("status")

    assert 2 == result.code
    assert "jobs of the sandbox, add --sandbox." in result.err
    for command in ("list", "cost"):
        assert "add --sandbox." in logged_in("jobs", command).err
        assert "add --sandbox." not in logged_in("jobs", command, "--sandbox").err
