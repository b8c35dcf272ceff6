from __future__ import annotations

import pytest

from krea_cli.api.models import Job, JobError
from krea_cli.cli.next_steps import NextSteps
from krea_cli.errors import (
    Action,
    CombinedError,
    ExitCode,
    JobFailedError,
    Step,
    WaitTimeoutError,
)
from krea_cli.jobs import job_errors


def failure(**fields):
    return explained(job_errors.job_error(Job(job_id="j1", **fields)))


def uncancelled(**fields):
    return explained(job_errors.cancellation_error(Job(job_id="j1", **fields)))


def explained(error):
    return error and NextSteps().explain(error)


def test_failure_with_a_period_in_its_reason_ends_with_one():
    error = failure(status="failed", error=JobError(code=None, message="No bears."))

    assert error.message.endswith("No bears.")
    assert ".." not in error.message


def test_a_completed_job_is_no_failure():
    """
    When it has a result.
    """
    assert failure(status="completed", urls=("https://k.test/1.png",)) is None


@pytest.mark.parametrize(
    "result",
    [
        None,
        {},
        {"urls": None},
        {"urls": []},
        {"urls": {}},
        {"urls": ""},
        {"urls": [""]},
        {"urls": [" ", None]},
        {"urls": {"out": ""}},
        {"urls": [{"type": "model"}]},
        "nothing",
    ],
    ids=str,
)
def test_completed_without_a_result_is_a_failure(result):
    """
    In whatever form the service says so; with the likely cause.
    """
    data = {"job_id": "j1", "status": "completed", "result": result}

    error = job_errors.job_error(Job.from_json(data))

    assert ("no_result", "j1") == (error.code, error.job_id)
    assert ExitCode.JOB_FAILED == error.exit_code
    assert "content filter" in error.message


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [
        ("failed", ExitCode.JOB_FAILED),
        ("cancelled", ExitCode.CANCELLED),
        ("processing", ExitCode.STILL_RUNNING),
        ("backlogged", ExitCode.STILL_RUNNING),
        ("dreaming", ExitCode.STILL_RUNNING),
        ("", ExitCode.STILL_RUNNING),
    ],
)
def test_each_ending_has_its_exit_code(status, exit_code):
    """
    And the error knows its job.
    """
    error = failure(status=status)

    assert (exit_code, "j1") == (error.exit_code, error.job_id)
    assert "j1" in error.message


def test_the_reason_of_a_failure_is_told():
    """
    In the service's words, with its code.
    """
    error = failure(status="failed", error=JobError(code="nsfw", message="Not allowed"))

    assert "Job j1 failed: Not allowed (nsfw)." == error.message


def test_a_failure_without_a_reason_says_so():
    """
    Rather than nothing.
    """
    assert "gives no reason" in failure(status="failed").message


def test_a_long_reason_is_cut():
    """
    A message stays readable.
    """
    error = failure(status="failed", error=JobError(code="", message="x" * 10_000))

    assert len(error.message) < 600


def test_a_running_job_has_the_command_that_goes_on():
    """
    An unknown status is quoted.
    """
    assert "krea wait j1" in failure(status="queued").hint
    assert "'dreaming'" in (failure(status="dreaming").message)


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        ("completed", "already_ended", "krea download j1"),
        ("failed", "already_ended", "not billed"),
        ("processing", "still_running", "krea status j1"),
        ("dreaming", "still_running", "krea status j1"),
    ],
)
def test_what_is_not_cancelled_says_why(status, code, hint):
    """
    And what can be done next.
    """
    error = uncancelled(status=status)

    assert (code, "j1") == (error.code, error.job_id)
    assert status in error.message
    assert hint in error.hint


def test_a_cancelled_job_is_what_was_wanted():
    """
    Whoever cancelled it.
    """
    assert uncancelled(status="cancelled") is None


def test_no_errors_are_no_failure():
    """
    However many succeeded.
    """
    job_errors.raise_errors([], succeeded=0)
    job_errors.raise_errors([], succeeded=3)


def test_one_error_alone_is_itself():
    """
    One job, one reason.
    """
    with pytest.raises(JobFailedError):
        job_errors.raise_errors([JobFailedError("x")], succeeded=0)


@pytest.mark.parametrize(
    ("errors", "succeeded", "exit_code"),
    [
        ([JobFailedError("x")], 1, ExitCode.PARTIAL),
        ([JobFailedError("x"), JobFailedError("x")], 0, ExitCode.JOB_FAILED),
        ([JobFailedError("x"), WaitTimeoutError("x")], 3, ExitCode.STILL_RUNNING),
    ],
)
def test_several_are_one_error(errors, succeeded, exit_code):
    """
    That has them all, and the code of what matters most.
    """
    with pytest.raises(CombinedError) as caught:
        job_errors.raise_errors(errors, succeeded=succeeded)

    assert (exit_code, errors) == (caught.value.exit_code, caught.value.errors)


def test_unsaved_results_lead_to_their_urls():
    urls = tuple(f"https://k.test/{at}.png" for at in range(job_errors.MAX_RESULTS + 1))
    whole, over = (
        Job(job_id="j1", status="completed", urls=each) for each in (urls[1:], urls)
    )

    assert job_errors.unsaved_results_error(whole) is None
    error = job_errors.unsaved_results_error(over)
    assert ("j1", (Step(Action.LIST_URLS, ("j1",)),)) == (error.job_id, error.advice)
