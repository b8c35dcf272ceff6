"""
What the jobs of the sandbox would have cost.
"""

from __future__ import annotations

import pytest
from sandbox.asking import Client

from krea_cli.sandbox.server import Sandbox

KLING = "/generate/video/kling/kling-2.6"


def ledger(client):
    return client("GET", "/sandbox/ledger").json


def test_a_job_has_its_price_from_the_request(client):
    """
    The oldest first, each with what the service would have asked for it; null when
    that is not known.
    """
    cheap = client.submit(resolution="1K").json
    dear = client.submit(resolution="4K").json
    unknown = client.submit("/generate/audio/elevenlabs/music").json

    report = ledger(client)

    assert {
        "job_id": cheap["job_id"],
        "model": "image/google/nano-banana-pro",
        "created_at": cheap["created_at"],
        "status": "queued",
        "cost_usd": 0.15,
        "billed": True,
    } == report["jobs"][0]
    assert [dear["job_id"], unknown["job_id"]] == [
        job["job_id"] for job in report["jobs"][1:]
    ]
    assert [0.15, 0.3, None] == [job["cost_usd"] for job in report["jobs"]]
    assert (0.45, 3, 3) == (report["total_usd"], report["count"], report["billed"])


def test_failed_and_cancelled_jobs_are_not_billed(sandbox, client, time):
    """
    They are told, but do not count; a job that will fail counts until it has.
    """
    sandbox.add_faults("submit:fails")
    client.submit()
    cancelled = client.submit().json["job_id"]
    client.submit()
    client("DELETE", f"/jobs/{cancelled}")

    early = ledger(client)
    time.sleep(3)
    late = ledger(client)

    assert (3, 2) == (early["count"], early["billed"])
    assert ["failed", "cancelled", "completed"] == [
        job["status"] for job in late["jobs"]
    ]
    assert [False, False, True] == [job["billed"] for job in late["jobs"]]
    assert (3, 1) == (late["count"], late["billed"])
    assert late["total_usd"] == late["jobs"][2]["cost_usd"] > 0


@pytest.mark.parametrize("fault", ["reset", "503", "html", "hang=0.1"])
def test_only_what_was_taken_is_in_it(sandbox, client, fault):
    """
    A request that was not acted on costs nothing; one whose answer was lost does.
    """
    name, equals, value = fault.partition("=")
    for text in (fault, f"{name}-after{equals}{value}"):
        sandbox.add_faults(f"submit:{text}")
        try:
            client.submit()
        except ConnectionError:
            client.connection.close()

    assert 1 == ledger(client)["count"]


def test_every_sandbox_on_the_folder_has_the_same_ledger(tmp_path, time):
    """
    It is kept with the jobs, and goes with them.
    """
    with Sandbox(tmp_path, clock=time.wall) as gone:
        client = Client(gone)
        client.submit()
        client.connection.close()
    with Sandbox(tmp_path, clock=time.wall) as sandbox:
        client = Client(sandbox)
        kept = ledger(client)
        sandbox.store.reset()
        empty = ledger(client)
        client.connection.close()

    assert 1 == kept["count"]
    assert {"total_usd": 0.0, "count": 0, "billed": 0, "jobs": []} == empty
