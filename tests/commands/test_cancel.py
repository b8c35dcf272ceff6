from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from service import answer, job, reset, reset_after

DELETE, LOOK = "DELETE /jobs/", "GET /jobs/"
UNKNOWN = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"


@pytest.fixture
def submitted(logged_in):
    """
    Submits so many jobs in one call: their ids.
    """

    def submit(count=1):
        return logged_in("generate", "an owl", "--no-wait", "-n", count).out.split()

    return submit


@pytest.fixture
def cancel(logged_in):
    """
    Cancels, as a script would: exit code, status by job, and the errors.
    """

    def cancel(*words):
        result = logged_in("cancel", *words, "--json")
        jobs = [json.loads(line) for line in result.out.splitlines()]
        errors = [json.loads(line)["error"] for line in result.err.splitlines()]
        return result.code, {job["job_id"]: job["status"] for job in jobs}, errors

    return cancel


def test_a_running_job_is_cancelled(logged_in, submitted, service):
    """
    Looked at, deleted, and looked at again; that it costs nothing is said.
    """
    [job_id] = submitted()

    result = logged_in("cancel", job_id)

    assert (0, f"{job_id}\tcancelled\n") == (result.code, result.out)
    assert "Cancelled jobs are not billed.\n" == result.err
    assert ["GET", "DELETE", "GET"] == [
        seen.method for seen in service.seen if seen.path.endswith(job_id)
    ]


def test_the_journal_keeps_it(logged_in, submitted, cancel, service):
    """
    Also when the service deletes what is cancelled: it stays cancelled, and is neither
    unknown nor gone.
    """
    [job_id] = submitted()
    service.faults[LOOK] = [None, *[answer(404)] * 9]

    first, again = cancel(job_id), cancel(job_id)
    status, wait = logged_in("status", job_id), logged_in("wait", job_id)

    assert (0, {job_id: "cancelled"}, []) == first == again
    assert (0, f"{job_id}\tcancelled\n") == (status.code, status.out)
    assert 10 == wait.code
    assert 1 == len(service.requests(DELETE))


@pytest.mark.parametrize(
    ("status", "hint"),
    [("completed", "Save it: krea download {}"), ("failed", "not billed")],
)
def test_what_has_ended_is_left_alone(submitted, cancel, service, status, hint):
    """
    Exit 3 and how it ended; no DELETE, which may take its files (never lose a job).
    """
    [job_id] = submitted()
    urls = {"urls": ["https://k.test/1.png"]}
    service.faults[LOOK] = [job(status=status, result=urls)] * 9

    code, statuses, [error] = cancel(job_id)

    assert (3, {job_id: status}) == (code, statuses)
    assert ("already_ended", job_id) == (error["code"], error["job_id"])
    assert hint.format(job_id) in error["hint"]
    assert [] == service.requests(DELETE)


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_a_run_that_has_finished_is_one_error(logged_in, service, status):
    """
    Not one for each of its jobs; with the command that saves what there is.
    """
    logged_in("generate", "an owl", "-n", 3, "--no-wait")
    service.faults[LOOK] = [
        job(status=status, result={"urls": ["https://k.test/1.png"]})
    ] * 9

    result = logged_in("cancel", "@last")

    assert 3 == result.code
    assert 1 == result.err.count("error: ")
    found = re.findall("krea download @[0-9a-f]{8}\n", result.err)
    assert (status == "completed") == bool(found)
    assert 0 == len(service.requests(DELETE))


def test_to_cancel_twice_is_to_cancel_once(submitted, cancel, service):
    """
    Exit 0 without another DELETE.
    """
    [job_id] = submitted()

    assert cancel(job_id) == cancel(job_id) == (0, {job_id: "cancelled"}, [])
    assert 1 == len(service.requests(DELETE))


def test_a_job_may_end_meanwhile(submitted, cancel, service):
    """
    Exit 3: it was completed between the look and the DELETE.
    """
    [job_id] = submitted()
    done = job(status="completed", result={"urls": ["https://k.test/1.png"]})
    service.faults[LOOK] = [job(status="sampling"), job(status="sampling"), done]
    service.faults[DELETE] = [answer(200)]

    code, statuses, [error] = cancel(job_id)

    assert (3, {job_id: "completed"}) == (code, statuses)
    assert "already_ended" == error["code"]


def test_a_job_that_goes_on_is_exit_8(submitted, cancel, service, time):
    """
    After five seconds of looks; the command that looks again is there.
    """
    [job_id] = submitted()
    service.faults[LOOK] = [job(status="sampling")] * 99
    service.faults[DELETE] = [answer(200)]

    code, statuses, [error] = cancel(job_id)

    assert (8, {job_id: "sampling"}, 5.0) == (code, statuses, time.elapsed)
    assert "was requested" in error["message"]
    assert f"krea status {job_id}" in error["hint"]


@pytest.mark.parametrize(
    "faults",
    [[reset], [reset_after], [reset_after] * 9, [answer(502)], [answer(429)]],
    ids=["before", "after", "always after", "502", "429"],
)
def test_a_lost_answer_is_settled_by_a_look(submitted, cancel, service, faults):
    """
    The DELETE is repeated, and what counts is what became of the job.
    """
    [job_id] = submitted()
    service.faults[DELETE] = list(faults)
    service.faults[LOOK] = [None, reset]

    assert (0, {job_id: "cancelled"}, []) == cancel(job_id)


def test_a_delete_that_never_gets_through_is_exit_6(submitted, cancel, service):
    """
    The job goes on; the same command tries again.
    """
    [job_id] = submitted()
    service.faults[DELETE] = [answer(503)] * 99
    service.faults[LOOK] = [job(status="queued")] * 99

    code, statuses, [error] = cancel(job_id)

    assert (6, {}) == (code, statuses)
    assert f"Try again: krea cancel {job_id}" == error["hint"]


def test_a_delete_that_is_refused_is_exit_2(submitted, cancel, service):
    """
    In the service's words, unless the look says that it has ended.
    """
    first, second = submitted(2)
    service.faults[DELETE] = [answer(409, {"error": "Too early"})] * 2
    service.faults[f"{LOOK}{first}"] = [job(status="scheduled")] * 99
    service.faults[f"{LOOK}{second}"] = [job(status="queued"), job(status="cancelled")]

    code, statuses, errors = cancel(first, second)

    assert (9, {second: "cancelled"}) == (code, statuses)
    assert "Too early" in errors[0]["message"]


def test_one_does_not_stop_the_others(submitted, cancel):
    """
    An id that nobody knows among them: the others are cancelled.
    """
    first, second = submitted(2)

    code, statuses, errors = cancel(first, UNKNOWN, second)

    assert (9, {first: "cancelled", second: "cancelled"}) == (code, statuses)
    assert ["unknown_job", "several"] == [error["code"] for error in errors]


def test_a_rejected_token_ends_it(submitted, cancel, service):
    """
    What was cancelled until then is told all the same.
    """
    first, second, third = submitted(3)
    service.faults[f"{LOOK}{second}"] = [answer(401)]

    code, statuses, _ = cancel(first, second, third)

    assert (4, {first: "cancelled"}) == (code, statuses)
    assert [] == service.requests(f"{LOOK}{third}")


def test_without_a_job_the_last_are_meant(submitted, cancel):
    """
    All jobs of the last generate, as in `status`.
    """
    submitted()
    last = submitted(2)

    assert (0, dict.fromkeys(last, "cancelled"), []) == cancel()


def test_an_unknown_job_is_exit_2(cancel, service):
    """
    Nothing is deleted.
    """
    code, _, [error] = cancel(UNKNOWN)

    assert (2, "unknown_job") == (code, error["code"])
    assert [] == service.requests(DELETE)


def test_a_person_gets_a_table(logged_in, submitted):
    """
    As `status` has it.
    """
    [job_id] = submitted()
    logged_in.is_terminal = True

    result = logged_in("cancel", "--color", "never")

    assert result.out.startswith("JOB ")
    assert f"{job_id}  cancelled" in result.out
    assert [] == list(Path().iterdir())
