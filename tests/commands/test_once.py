"""
`krea generate --once`: a request is paid for once, however often it is made.
"""

from __future__ import annotations

from pathlib import Path

from service import reset_after

ONCE = ("generate", "an owl", "--once", "-o")


def test_once_of_a_new_request_submits_it(logged_in, service):
    result = logged_in(*ONCE, "owl.png")

    assert (0, "owl.png\n", 1) == (result.code, result.out, service.bills)


def test_once_of_a_known_request_saves_its_result_again(logged_in, service):
    logged_in(*ONCE, "owl.png")
    before = Path("owl.png").read_bytes()
    Path("owl.png").unlink()

    again = logged_in(*ONCE, "owl.png")
    there = logged_in(*ONCE, "owl.png")

    assert (0, 0, 1) == (again.code, there.code, service.bills)
    assert before == Path("owl.png").read_bytes()


def test_once_with_another_prompt_submits_another_job(logged_in, service):
    logged_in(*ONCE, "owl.png")

    logged_in("generate", "a cat", "--once", "-o", "cat.png")

    assert 2 == service.bills


def test_once_after_no_wait_waits_for_the_same_job(logged_in, service):
    logged_in("generate", "an owl", "--once", "--no-wait")

    result = logged_in(*ONCE, "owl.png")

    assert (0, "owl.png\n", 1) == (result.code, result.out, service.bills)


def test_once_with_several_jobs_or_no_journal_is_an_error_of_usage(logged_in, service):
    several = logged_in(*ONCE, "owl.png", "-n", "2")
    forgetful = logged_in(*ONCE, "owl.png", "--no-journal")

    assert (2, 2, 0) == (several.code, forgetful.code, service.bills)


def test_once_of_a_failed_request_ends_with_3_and_pays_for_nothing(logged_in, service):
    service.add_faults("submit:fails=moderation")

    ended = [logged_in(*ONCE, "owl.png").code for _ in range(2)]

    assert ([3, 3], 1) == (ended, service.bills)


def test_once_of_an_unconfirmed_request_ends_with_11(logged_in, service):
    service.faults["POST /generate/"] = [reset_after]

    ended = [logged_in(*ONCE, "owl.png").code for _ in range(2)]

    assert ([11, 11], 1) == (ended, service.bills)


def test_once_after_the_same_request_without_it_uses_that_job(logged_in, service):
    logged_in("generate", "an owl", "-o", "plain.png")

    result = logged_in(*ONCE, "owl.png")

    assert (0, "owl.png\n", 1) == (result.code, result.out, service.bills)


def test_once_after_an_unconfirmed_request_without_it_ends_with_11(logged_in, service):
    service.faults["POST /generate/"] = [reset_after]
    logged_in("generate", "an owl", "-o", "plain.png")

    result = logged_in(*ONCE, "owl.png")

    assert (11, 1) == (result.code, service.bills)


def test_without_once_the_same_request_is_another_job(logged_in, service):
    for name in ("one.png", "two.png"):
        logged_in("generate", "an owl", "-o", name)

    assert 2 == service.bills


def test_once_of_a_known_request_says_in_a_dry_run_that_it_submits_nothing(
    logged_in, service
):
    logged_in(*ONCE, "owl.png")
    [job] = service.store.jobs()

    result = logged_in(*ONCE, "owl.png", "--dry-run", "--max-cost", "0.01")

    assert 0 == result.code
    assert f"as job {job.job_id}" in result.err
    assert "would fail" not in result.err
