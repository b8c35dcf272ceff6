from __future__ import annotations

import json
import re
import socket
import time as real_time
from itertools import pairwise
from pathlib import Path

import pytest
from service import answer, job

from krea_cli.sandbox.job import iso

UNKNOWN = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"


def told(result):
    return result.code, result.out


@pytest.fixture
def submitted(logged_in):
    """
    Submits so many jobs in one call: their ids.
    """

    def submit(count=1):
        # A model without published times.
        model = ("-m", "google/imagen-4")
        result = logged_in("generate", "an owl", "--no-wait", "-n", count, *model)
        return result.out.split()

    return submit


def test_waits_until_all_are_final(logged_in, submitted):
    """
    A line for each job at the end, in the order asked for; without -o nothing is saved.
    """
    first, second = submitted(2)

    result = logged_in("wait", first, second)

    assert (0, f"{first}\tcompleted\n{second}\tcompleted\n") == (
        result.code,
        result.out,
    )
    assert [] == list(Path().iterdir())


def test_the_first_look_is_at_once(logged_in, submitted, time):
    """
    A job that is done is not waited for; one that is not is looked at soon after 2 s.
    """
    submitted()
    time.elapsed += 60
    done = logged_in("wait")
    assert [] == time.slept
    submitted()
    waited = logged_in("wait")

    assert (0, 0) == (done.code, waited.code)
    assert 2.0 <= sum(time.slept) < 2.5


def test_output_saves_as_well(logged_in, submitted):
    """
    As `download` after `wait`: paths on standard output.
    """
    job_ids = submitted(2)

    result = logged_in("wait", "-o", "owls/")

    assert 0 == result.code
    assert [f"owls/{job_id}-{at}.png" for at, job_id in enumerate(job_ids, 1)] == (
        result.out.splitlines()
    )
    assert all(Path(line).is_file() for line in result.out.splitlines())


def test_output_of_one_job(logged_in, submitted):
    """
    A file by its name.
    """
    submitted()

    assert "owl.png\n" == logged_in("wait", "@last", "-o", "owl.png").out


def test_progress_is_told_line_by_line(logged_in, submitted):
    """
    Each change of status, on standard error; nothing with -q and --json.
    """
    [job_id] = submitted()

    result = logged_in("wait", job_id)
    quiet = [logged_in("wait", job_id, flag).err for flag in ("-q", "--json")]

    assert f"{job_id} queued (0 s)" == result.err.splitlines()[0]
    *_, last, hint = result.err.splitlines()
    assert f"{job_id} completed (2 s)" == last
    assert hint.endswith(f": krea download {job_id}")
    assert ["", ""] == quiet


def test_the_time_limit_is_exit_8(logged_in, submitted, service, time):
    """
    Not before the time, and not after; the hint goes on from here.
    """
    [job_id] = submitted()
    service.faults["GET /jobs/"] = [job(status="sampling")] * 99

    result = logged_in("wait", job_id, "--timeout", "90s", "--json")
    error = json.loads(result.err)["error"]

    assert (8, 90.0) == (result.code, time.elapsed)
    assert "sampling" == json.loads(result.out)["status"]
    assert ("still_running", job_id) == (error["code"], error["job_id"])
    assert f"Keep waiting: krea wait {job_id} -o ." == error["hint"]


def test_the_setting_limits_the_time(logged_in, submitted, service, time):
    """
    KREA_TIMEOUT, unless the flag says otherwise.
    """
    [job_id] = submitted()
    service.faults["GET /jobs/"] = [job(status="queued")] * 99

    result = logged_in("wait", job_id, env={"KREA_TIMEOUT": "1m"})

    assert (8, 60.0) == (result.code, time.elapsed)


def test_a_failed_job_is_exit_3(logged_in, submitted, service):
    """
    With the service's reason, and that it costs nothing.
    """
    [job_id] = submitted()
    service.faults["GET /jobs/"] = [job(status="failed", error="No bears.")]

    result = logged_in("wait", job_id)

    assert (3, f"{job_id}\tfailed\n") == (result.code, result.out)
    assert f"error: Job {job_id} failed: No bears" in result.err


def test_a_cancelled_job_is_exit_10(logged_in, submitted, service):
    """
    In either spelling.
    """
    [job_id] = submitted()
    for word in ("cancelled", "CANCELED"):
        service.faults["GET /jobs/"] = [job(status=word)]
        result = logged_in("wait", job_id)

        assert (10, f"{job_id}\tcancelled\n") == (result.code, result.out)


def test_some_of_several_are_saved(logged_in, submitted, service):
    """
    Exit 9: one file, one reason; the index goes on where it was.
    """
    failed, done = submitted(2)
    service.faults[f"GET /jobs/{failed}"] = [job(status="failed")]

    result = logged_in("wait", "-o", "owl.png")

    assert (9, "owl-1.png\n") == (result.code, result.out)
    assert f"Job {failed} failed" in result.err
    assert "1 of 2 jobs" in result.err
    assert done not in result.err.splitlines()[-1]


def test_passing_trouble_is_looked_past(logged_in, submitted, service):
    """
    A burst of bad answers neither ends the wait nor changes its result.
    """
    [job_id] = submitted()
    service.faults["GET /jobs/"] = [None, *[answer(502)] * 12]

    result = logged_in("wait", job_id)

    assert (0, f"{job_id}\tcompleted\n") == (result.code, result.out)


def test_trouble_is_told_while_it_lasts(logged_in, submitted, service):
    """
    A log does not fall silent because the service does.
    """
    [job_id] = submitted()
    service.faults["GET /jobs/"] = [None, *[answer(502)] * 999]

    result = logged_in("wait", job_id, "--timeout", "2m")
    lines = [line for line in result.err.splitlines() if line.startswith(job_id)]

    assert 8 == result.code
    assert 4 <= len(lines) <= 6
    assert all(" queued; cannot check: " in line for line in lines[1:])


def test_a_service_that_asks_for_time_gets_it(logged_in, submitted, service):
    """
    It is not asked meanwhile, and the log does not fall silent.
    """
    [job_id] = submitted()
    busy = answer(429, {"error": "Slow down"}, {"Retry-After": "50"})
    service.faults["GET /jobs/"] = [None, busy]

    result = logged_in("wait", job_id)

    assert (0, f"{job_id}\tcompleted\n") == told(result)
    assert f"{job_id} queued; cannot check: " in result.err
    assert 3 == len(service.requests("GET /jobs/"))


def test_a_rejected_token_ends_it_and_keeps_the_jobs(logged_in, submitted, service):
    """
    At once, with exit 4 and the command that goes on after the login.
    """
    job_ids = submitted(2)
    service.faults["GET /jobs/"] = [None, None, answer(401), None]

    result = logged_in("wait", "--json")
    error = json.loads(result.err)["error"]

    assert (4, "") == (result.code, result.out)
    assert 2 == len(job_ids)
    assert re.search("krea wait @[0-9a-f]{8} -o .$", error["hint"])
    assert 3 == len(service.requests("GET /jobs/"))


def test_many_jobs_are_no_flood(logged_in, submitted, service, time):
    """
    No request is nearer to another than a fifth of a second, also when each look is
    answered with a fault at first.
    """
    times = []

    def noting(fault):
        return lambda handler: (times.append(time.elapsed), fault(handler))

    submitted(8)
    answers = [noting(answer(502)), *[noting(job(status="queued"))] * 2]
    service.faults["GET /jobs/"] = answers * 99

    logged_in("wait", "--timeout", "12s")

    assert len(times) > 30
    assert min(b - a for a, b in pairwise(times)) > 0.199


@pytest.mark.parametrize("command", ["wait", "status", "download"])
def test_a_new_job_may_have_to_appear(logged_in, submitted, service, time, command):
    """
    That the service does not show it for a moment is no end.
    """
    [job_id] = submitted()
    service.faults["GET /jobs/"] = [answer(404)] * 3

    result = logged_in(command, job_id, "--json")

    assert (0, "completed") == (result.code, json.loads(result.out)["status"])
    assert 6.0 == time.elapsed


def test_a_job_that_does_not_appear_is_gone(logged_in, submitted, service, time):
    """
    Exit 3 after half a minute, and at once when that is long past: the journal knows
    that there was one.  The other is told all the same.
    """
    gone, there = submitted(2)
    service.faults[f"GET /jobs/{gone}"] = [answer(404)] * 99

    new = logged_in("wait", gone, "--json")
    waited = time.elapsed
    old = logged_in("status", gone, there, "--json")
    errors = [json.loads(line)["error"] for line in (new.err + old.err).splitlines()]

    assert ((3, 9), 30.0) == ((new.code, old.code), waited)
    assert time.elapsed - waited < 1
    assert ["gone", "gone", "several"] == [error["code"] for error in errors]
    assert there == json.loads(old.out)["job_id"]


def test_the_time_limit_holds_while_a_job_has_to_appear(
    logged_in, submitted, service, time
):
    """
    Exit 6: try again.
    """
    [job_id] = submitted()
    service.faults["GET /jobs/"] = [answer(404)] * 99

    result = logged_in("wait", job_id, "--timeout", "5s", "--json")
    error = json.loads(result.err)["error"]

    assert (6, "not_shown") == (result.code, error["code"])
    assert time.elapsed <= 5


def test_a_job_that_goes_while_it_is_waited_for_stops_no_other(
    logged_in, submitted, service
):
    """
    One is deleted elsewhere, the other is saved.
    """
    gone, done = submitted(2)
    service.faults[f"GET /jobs/{gone}"] = [job(status="queued")] + [answer(404)] * 99

    result = logged_in("wait", "-o", "owl.png")

    assert (9, "owl-1.png\n") == (result.code, result.out)
    assert f"Job {gone} no longer exists at Krea" in result.err
    assert done not in result.err.splitlines()[-1]


def test_a_broken_journal_does_not_stop_a_look(logged_in, submitted, service, env):
    """
    A job that is missing is unknown then.
    """
    [job_id] = submitted()
    for file in Path(env["KREA_STATE_DIR"]).glob("journal.db*"):
        file.write_bytes(b"no journal" * 500)
    service.faults["GET /jobs/"] = [answer(404)] * 2

    missing = logged_in("wait", job_id, "--json")
    service.faults.clear()
    there = logged_in("wait", job_id)

    assert (2, 0) == (missing.code, there.code)
    assert "unknown_job" == json.loads(missing.err)["error"]["code"]


@pytest.mark.parametrize("words", [[], ["-o", "owl.png"], ["--any"]])
def test_completed_without_a_result_is_exit_3(logged_in, submitted, service, words):
    """
    With -o, without, and with --any, after three more looks; the job is told as it is.
    """
    [job_id] = submitted()
    service.faults["GET /jobs/"] = [job(status="completed", result={})] * 99

    result = logged_in("wait", job_id, "--json", *words)
    error = json.loads(result.err)["error"]

    assert (3, "completed") == (result.code, json.loads(result.out)["status"])
    assert ("no_result", job_id) == (error["code"], error["job_id"])
    assert 4 == len(service.requests("GET /jobs/"))


def test_a_result_that_comes_late_is_saved(logged_in, submitted, service):
    """
    The job was completed a moment before.
    """
    submitted()
    service.faults["GET /jobs/"] = [job(status="completed", result={"urls": []})] * 3

    assert (0, "owl.png\n") == told(logged_in("wait", "-o", "owl.png"))


def test_any_ends_with_the_first(logged_in, submitted, service, time):
    """
    What ended is told, in the order asked for; the others go on, which is no failure.
    """
    slow, first, second = submitted(3)
    service.faults[f"GET /jobs/{slow}"] = [job(status="sampling")] * 99

    result = logged_in("wait", slow, first, second, "--any")

    assert (0, f"{first}\tcompleted\n{second}\tcompleted\n") == told(result)
    assert f"Still running: {slow}\n" in result.err
    assert time.elapsed < 4


def test_any_leaves_out_what_may_still_get_its_result(logged_in, submitted, service):
    """
    One that is completed without a result, beside one that has its own.
    """
    lacking, done = submitted(2)
    nothing = job(status="completed", result=None)
    service.faults[f"GET /jobs/{lacking}"] = [job(status="queued"), *[nothing] * 9]

    result = logged_in("wait", lacking, done, "--any")

    assert (0, f"{done}\tcompleted\n") == told(result)


def test_any_has_the_code_of_what_ended(logged_in, submitted, service):
    """
    A failed job is exit 3 as it is alone, whatever goes on or cannot be seen.
    """
    failed, slow, unseen = submitted(3)
    service.faults[f"GET /jobs/{failed}"] = [job(status="failed")]
    service.faults[f"GET /jobs/{slow}"] = [job(status="queued")] * 99
    service.faults[f"GET /jobs/{unseen}"] = [answer(502)] * 99

    result = logged_in("wait", failed, slow, unseen, "--any", "--json")
    [error] = [json.loads(line)["error"] for line in result.err.splitlines()]

    assert (3, failed) == (result.code, json.loads(result.out)["job_id"])
    assert ("job_failed", failed) == (error["code"], error["job_id"])


def test_any_saves_what_ended(logged_in, submitted, service):
    """
    And nothing else; the next call has the rest.
    """
    slow, first = submitted(2)
    service.faults[f"GET /jobs/{slow}"] = [job(status="queued")] * 9

    one = logged_in("wait", slow, first, "--any", "-o", "{job_id}.png")
    service.faults.clear()
    rest = logged_in("wait", slow, "--any", "-o", "{job_id}.png")

    assert (0, f"{first}.png\n") == told(one)
    assert (0, f"{slow}.png\n") == told(rest)


def test_any_without_an_end_is_exit_8(logged_in, submitted, service, time):
    """
    One error for all that go on, with the command for all of them; nothing is told.
    """
    job_ids = submitted(2)
    service.faults["GET /jobs"] = [job(status="queued")] * 99

    result = logged_in("wait", "--any", "--timeout", "9s", "--json")
    error = json.loads(result.err)["error"]

    assert (8, "") == told(result)
    assert ("still_running", 9.0) == (
        error["code"],
        pytest.approx(time.elapsed, abs=0.3),
    )
    assert 2 == len(job_ids)
    assert re.search(": krea wait --any @[0-9a-f]{8} -o .$", error["hint"])


def test_the_time_counts_from_the_start(logged_in, submitted, service, time):
    """
    What the first looks took is not given again (P5).
    """
    submitted(10)
    service.faults["GET /jobs/"] = [job(status="queued")] * 99

    assert 8 == logged_in("wait", "--timeout", "5s").code
    assert 5.0 == pytest.approx(time.elapsed, abs=0.3)


def test_an_unknown_job_is_exit_2(logged_in):
    """
    There is nothing to wait for.
    """
    result = logged_in("wait", UNKNOWN)

    assert (2, "") == (result.code, result.out)
    assert "not found" in result.err


def test_a_target_that_exists_is_exit_7_before_it_is_waited(
    logged_in, submitted, service
):
    """
    --force is the way to overwrite.
    """
    submitted()
    Path("owl.png").write_bytes(b"mine")

    refused = logged_in("wait", "-o", "owl.png")
    asked = service.requests("GET")
    forced = logged_in("wait", "-o", "owl.png", "--force")

    assert (7, 1) == (refused.code, len(asked))
    assert "-o owl.png" not in refused.err
    assert (0, "owl.png\n") == (forced.code, forced.out)
    assert b"mine" != Path("owl.png").read_bytes()


def test_what_is_there_is_not_fetched_again(logged_in, submitted, service):
    """
    The command that collects a result can be run until it has.
    """
    submitted()

    first, again = (logged_in("wait", "-o", "owl.png") for _ in range(2))

    assert (0, "owl.png\n") == (again.code, again.out)
    assert first.out == again.out
    assert 1 == len(service.requests("GET /results/"))


@pytest.mark.long
def test_a_silent_service_does_not_hold_it_up(logged_in):
    """
    The time limit holds for the first look, too, within three seconds.
    """
    started = real_time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        result = logged_in("wait", UNKNOWN, "--timeout", "0.1", "--api-url", url)

    assert 6 == result.code
    assert f"krea status {UNKNOWN} --api-url {url}" in result.err
    assert real_time.monotonic() - started < 4


def test_an_unknown_job_does_not_stop_the_others(logged_in, service):
    """
    What can be waited for is; the code says that not all was found.
    """
    logged_in("generate", "a cat", "--no-wait")
    [job] = service.store.jobs()

    result = logged_in("wait", job.job_id, "00000000-0000-4000-8000-000000000000")

    assert (9, f"{job.job_id}\tcompleted\n") == (result.code, result.out)


def test_a_video_is_waited_for_longer(logged_in, service, time):
    """
    Ten minutes, but half an hour for video, as `generate` does.
    """

    def passing(handler):
        time.elapsed += 100
        job(status="queued")(handler)

    words = ("-m", "veo-3", "-o", "a.mp4")
    logged_in("generate", "waves", "--no-wait")
    logged_in("generate", "waves", "--no-wait", *words)
    [video, picture] = service.store.jobs()
    started = time.elapsed

    service.faults["GET /jobs/"] = [passing] * 999
    assert 8 == logged_in("wait", picture.job_id).code
    between = time.elapsed
    assert 8 == logged_in("wait", video.job_id).code

    assert 600 == pytest.approx(between - started, abs=105)
    assert 1800 == pytest.approx(time.elapsed - between, abs=105)


def test_what_a_model_took_before_is_remembered(logged_in, time, service):
    """
    The end of a job that takes two seconds is noticed late while it is thought to be
    like other videos, and at once when three were seen; the others are looked at no
    sooner for that.
    """
    took = []
    for model in ("veo-3",) * 4 + ("google/imagen-4",):
        began = time.elapsed
        result = logged_in("generate", "waves", "-m", model, "--no-download")
        took.append(time.elapsed - began)
        assert 0 == result.code

    assert took[0] > 4
    assert 2 <= took[3] < 2.5
    assert took[3] < took[4] < 3


def test_a_job_that_ran_before_is_known_to_be_older(logged_in, service, time):
    """
    By the service's clock if that can be true, else by ours: it is looked
    at as one of its age.
    """
    for model in ("veo-3",) * 4:
        logged_in("generate", "waves", "-m", model, "--no-download")
    for ahead in (0.0, -7200.0, 7200.0):
        taken = logged_in("generate", "waves", "-m", "veo-3", "--no-wait").out.strip()
        created_at = iso(time.wall() + ahead)
        time.elapsed += 1.5
        began = time.elapsed
        service.faults["GET /jobs/"] = [job(created_at=created_at)]

        assert 0 == logged_in("wait", taken).code
        assert time.elapsed - began < 1.0


def test_what_was_saved_before_it_ends_is_told(logged_in, submitted, service, time):
    """
    The token is rejected while the third is waited for: the paths of the others are on
    standard output, and only the third is left to collect.
    """
    third = submitted(3)[-1]
    time.elapsed += 60
    still = job(status="sampling")
    service.faults[f"GET /jobs/{third}"] = [still, answer(401, {"message": "no"})]

    result = logged_in("wait", "-o", "owl.png")

    assert (4, "owl-1.png\nowl-2.png\n") == told(result)
    assert "Saved 2 of 3. 1 job keeps running" in result.err
    assert third not in result.err.partition("error:")[2].partition("hint:")[0]
