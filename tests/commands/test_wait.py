from __future__ import annotations

import json
import socket
import time as real_time
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
    A job that is done is not waited for; one that is not is looked at after 2 s, and
    then ever more rarely.
    """
    submitted()
    time.elapsed += 60
    done = logged_in("wait")
    time.slept.clear()
    submitted()
    waited = logged_in("wait")

    assert (0, 0) == (done.code, waited.code)
    assert [2.0] == time.slept


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
    assert f"{job_id} completed (2 s)" == result.err.splitlines()[-1]
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
    assert f"Collect it with: krea wait {job_id} -o ." == error["hint"]


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
    assert "1 of 2 jobs did not succeed" in result.err
    assert done not in result.err.splitlines()[-1]


def test_passing_trouble_is_looked_past(logged_in, submitted, service):
    """
    A burst of bad answers neither ends the wait nor changes its result (hazard L2).
    """
    [job_id] = submitted()
    service.faults["GET /jobs/"] = [None, *[answer(502)] * 12]

    result = logged_in("wait", job_id)

    assert (0, f"{job_id}\tcompleted\n") == (result.code, result.out)


def test_an_unknown_job_is_exit_2(logged_in):
    """
    There is nothing to wait for.
    """
    result = logged_in("wait", UNKNOWN)

    assert (2, "") == (result.code, result.out)
    assert "knows no job" in result.err


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


def test_a_silent_service_does_not_hold_it_up(logged_in):
    """
    The time limit holds for the first look, too, within three seconds (P5).
    """
    started = real_time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        result = logged_in("wait", UNKNOWN, "--timeout", "0.1", "--api-url", url)

    assert 6 == result.code
    assert f"krea wait {UNKNOWN} -o . --api-url {url}" in result.err
    assert real_time.monotonic() - started < 4


def test_an_unknown_job_does_not_stop_the_others(logged_in, service):
    """
    What can be waited for is; the code says that not all was found (hazard J6).
    """
    logged_in("generate", "a cat", "--no-wait")
    [job] = service.store.jobs()

    result = logged_in("wait", job.job_id, "00000000-0000-4000-8000-000000000000")

    assert (9, f"{job.job_id}\tcompleted\n") == (result.code, result.out)


def test_a_video_is_waited_for_longer(logged_in, service):
    """
    Ten minutes, but half an hour for video, as `generate` does.
    """
    from service import job

    words = ("-m", "veo-3", "-o", "a.mp4")
    logged_in("generate", "waves", "--no-wait")
    logged_in("generate", "waves", "--no-wait", *words)
    [video, picture] = service.store.jobs()
    started = logged_in.clock.now()

    service.faults["GET /jobs/"] = [job(status="queued")] * 1000
    assert 8 == logged_in("wait", picture.job_id).code
    between = logged_in.clock.now()
    assert 8 == logged_in("wait", video.job_id).code

    assert 600 == pytest.approx(between - started, abs=10)
    assert 1800 == pytest.approx(logged_in.clock.now() - between, abs=10)
