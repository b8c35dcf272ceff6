"""
A batch whose process is interrupted or killed, run again: one bill for each item.
"""

from __future__ import annotations

import signal
import time

import pytest
from service import TOKEN

ITEMS = 12
BATCH = ("batch", "prompts.csv", "-m", "flux-1-dev", "-o", "out/{name}.png")


@pytest.fixture
def batch(shell, live):
    """
    Starts a batch of many prompts.
    """
    shell.env |= {"KREA_API_URL": live.url, "KREA_API_KEY": TOKEN}
    rows = "".join(f"n{number},thing {number}\n" for number in range(ITEMS))
    (shell.cwd / "prompts.csv").write_text(f"name,prompt\n{rows}")
    return lambda: shell.start(*BATCH)


def after(live, count):
    """
    Wait until the service has made so many jobs.
    """
    until = time.monotonic() + 30
    while live.bills < count and time.monotonic() < until:
        time.sleep(0.01)


@pytest.mark.long
@pytest.mark.posix
def test_batch_killed_at_many_points_pays_once_for_each_item(shell, batch, live):
    for jobs in (1, 4, 9, ITEMS):
        with batch() as process:
            after(live, jobs)
            process.kill()

    ended = [shell(*BATCH).code for _ in range(2)]

    found = shell("jobs", "list", "-q").out
    # A request that was killed before its response is unconfirmed, and not repeated.
    assert ended[-1] in (0, 11)
    assert live.bills <= ITEMS
    assert len(found.splitlines()) <= ITEMS
    assert not [*(shell.cwd / "out").glob(".*")] or ended[-1] == 11


@pytest.mark.long
@pytest.mark.posix
def test_batch_interrupted_says_what_is_saved_and_how_to_go_on(shell, batch, live):
    with batch() as process:
        after(live, 5)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        seconds = time.monotonic() - began
    said = err.decode()
    said = said[said.index("error: ") :].splitlines()

    again = shell(*BATCH)

    assert -signal.SIGINT == process.returncode
    assert len(said) <= 4, said
    assert seconds < 3
    assert "will be billed" in said[0]
    # A request whose response the signal cut off is unconfirmed, and not repeated.
    assert again.code in (0, 11)
    assert live.bills <= ITEMS


@pytest.mark.long
@pytest.mark.posix
def test_two_runs_at_the_same_moment_share_the_jobs(batch, live):
    with batch() as one, batch() as other:
        ended = [each.wait(timeout=50) for each in (one, other)]

    assert ([0, 0], ITEMS) == (ended, live.bills)
