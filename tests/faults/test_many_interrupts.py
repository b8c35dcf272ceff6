"""
Ctrl-C at any moment of a run of many jobs.
"""

from __future__ import annotations

import random
import signal
import time as real_time
from pathlib import Path

import pytest
from conftest import png
from faults.test_interrupts import begun, records
from faults.user import User, service

from krea_cli.sandbox.concurrency import JobLimits

MOMENTS, JOBS = 8, 24
# Requests, looks and downloads overlap for the whole of the run.
FAULTS = ("submit:slow=0.3*", "result:slow=0.5*")
LAST_SECONDS = 5.0


def moments():
    chance = random.Random(20261123)
    part = LAST_SECONDS / MOMENTS
    return [part * (at + chance.random()) for at in range(MOMENTS)]


def found(user, live, code, took, said):
    """
    All that is wrong with the end of the run, in words.
    """
    if code != -signal.SIGINT:
        yield f"exit {code}: {said}"
    if took > 1:
        yield f"it took {took:.1f} s"
    yield from map(str, user.rest)
    files = list(user.cwd.iterdir())
    yield from (f"{path} is torn" for path in files if path.read_bytes() != png())
    kept = records(user)
    if live.bills > len(kept):
        yield f"{live.bills} bills for {kept}"
    if len(said[said.find("error: ") :].splitlines()) > 4:
        yield f"more than four lines: {said}"
    collected = sum(state == "completed" for state, _ in kept)
    for state, job_id in kept:
        if not job_id and "krea jobs recover" not in said:
            yield f"{state}, but it does not say how to find out: {said}"
        if job_id and len(files) < collected and user.run_of(job_id) not in said:
            yield f"{job_id} is {state}, and not named: {said}"
        if state == "submitted" and not user.names_way_to(job_id, said):
            yield f"{state}, but it does not say how to collect {job_id}: {said}"


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the start is told by /proc alone"
)
@pytest.mark.parametrize("moment", moments(), ids=lambda moment: f"{moment:.2f}")
def test_ctrl_c_at_any_moment_of_many(tmp_path, moment):
    """
    Within a second exit 130; every job that was paid for is named with the command that
    collects it, or is in doubt; nothing half done is left, and nothing is paid twice.
    """
    capacity = JobLimits(job_seconds=1, parallel=8)
    with service(tmp_path / "service", limits=capacity) as live:
        live.add_faults(*FAULTS)
        user = User(tmp_path / "user", live.url)
        process = user.start("generate", "an owl", "-n", JOBS, "-o", "owl-{index}.png")
        until = begun(process) + moment
        real_time.sleep(max(0.0, until - real_time.monotonic()))
        process.send_signal(signal.SIGINT)
        sent = real_time.monotonic()
        out, err = process.communicate(timeout=50)
        took = real_time.monotonic() - sent
        user.said += [out.decode(), err.decode()]
        wrong = list(found(user, live, process.returncode, took, err.decode()))

    assert [] == wrong
