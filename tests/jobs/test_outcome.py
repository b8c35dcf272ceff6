from __future__ import annotations

import pytest

from krea_cli.api.resources import Job, JobError
from krea_cli.errors import ExitCode, JobFailedError, SeveralError, StillRunningError
from krea_cli.jobs import outcome


def failure(**fields):
    return outcome.failure(Job(job_id="j1", **fields), collect="krea wait j1")


def test_a_completed_job_is_no_failure():
    """
    Whether it has a result is for another to say.
    """
    assert failure(status="completed") is None


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
    In the service's words, with its code (hazard L13).
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
    assert "'dreaming', a status that this version does not know" in (
        failure(status="dreaming").message
    )


def test_no_errors_are_no_failure():
    """
    However many succeeded.
    """
    outcome.check([], succeeded=0)
    outcome.check([], succeeded=3)


def test_one_error_alone_is_itself():
    """
    One job, one reason.
    """
    with pytest.raises(JobFailedError):
        outcome.check([JobFailedError("x")], succeeded=0)


@pytest.mark.parametrize(
    ("errors", "succeeded", "exit_code"),
    [
        ([JobFailedError("x")], 1, ExitCode.PARTIAL),
        ([JobFailedError("x"), JobFailedError("x")], 0, ExitCode.JOB_FAILED),
        ([JobFailedError("x"), StillRunningError("x")], 3, ExitCode.STILL_RUNNING),
    ],
)
def test_several_are_one_error(errors, succeeded, exit_code):
    """
    That has them all, and the code of what matters most.
    """
    with pytest.raises(SeveralError) as caught:
        outcome.check(errors, succeeded=succeeded)

    assert (exit_code, errors) == (caught.value.exit_code, caught.value.errors)
