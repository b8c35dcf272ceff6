from __future__ import annotations

import pytest
from sandbox.asking import Client

from krea_cli.sandbox.concurrency import JobLimits
from krea_cli.sandbox.server import Sandbox


@pytest.fixture
def limited(tmp_path, time):
    """
    Makes a client of a sandbox in which two jobs run at once, of a second each.
    """
    running = []

    def make(over_limit):
        capacity = JobLimits(job_seconds=1, parallel=2, over_limit=over_limit)
        folder = tmp_path / "sandbox"
        sandbox = Sandbox(folder, clock=time.wall, limits=capacity)
        sandbox.start()
        client = Client(sandbox)
        running.append((client, sandbox))
        return client

    yield make
    for client, sandbox in running:
        client.connection.close()
        sandbox.stop()


def statuses(client, jobs):
    return [client("GET", f"/jobs/{job}").json["status"] for job in jobs]


def test_what_is_above_the_limit_waits_its_turn(limited, time):
    """
    Two of five run in each second, in the order in which they came.
    """
    client = limited("backlog")
    jobs = [client.submit().json["job_id"] for _ in range(5)]
    seen = [statuses(client, jobs)]
    for _ in range(3):
        time.elapsed += 1.01
        seen.append(statuses(client, jobs))

    assert [
        ["queued"] * 2 + ["backlogged"] * 3,
        ["completed"] * 2 + ["queued"] * 2 + ["backlogged"],
        ["completed"] * 4 + ["queued"],
        ["completed"] * 5,
    ] == seen


def test_what_is_above_the_limit_is_refused(limited, time):
    """
    429, with when to come again; then there is room.
    """
    client = limited("refuse")
    taken = [client.submit().status for _ in range(3)]
    refused = client.submit()
    time.elapsed += 1.01

    assert [200, 200, 429] == taken
    assert "maximum number of concurrent jobs" in refused.json["error"]
    assert "1" == refused.headers["Retry-After"]
    assert [200, 200, 429] == [client.submit().status for _ in range(3)]
    assert 4 == len(client("GET", "/jobs").json["items"])


def test_the_jobs_from_before_count(limited, time):
    """
    A sandbox that is started anew finds its folder full.
    """
    client = limited("backlog")
    for _ in range(3):
        client.submit()
    again = limited("refuse")

    assert 429 == again.submit().status
    time.elapsed += 1.01
    assert [200, 429] == [again.submit().status for _ in range(2)]
