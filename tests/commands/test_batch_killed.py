"""
A batch whose process is interrupted or killed, run again: one bill for each item.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import time
from collections import Counter

import pytest
from PIL import Image
from service import TOKEN

ITEMS = 12
BATCH = ("batch", "prompts.csv", "-m", "flux-1-dev", "-o", "out/{name}.png")


@pytest.fixture
def batch(shell, live):
    """
    Starts a batch of many prompts.
    """
    shell.env |= {"KREA_API_URL": live.url, "KREA_API_KEY": TOKEN}

    def start(*options, items=ITEMS):
        rows = "".join(f"n{number},thing {number}\n" for number in range(items))
        (shell.cwd / "prompts.csv").write_text(f"name,prompt\n{rows}")
        return shell.start(*BATCH, *options)

    return start


def wait_until(is_so):
    until = time.monotonic() + 30
    while not is_so() and time.monotonic() < until:
        time.sleep(0.01)


def after(live, count):
    """
    Wait until the service has made so many jobs.
    """
    wait_until(lambda: live.bills >= count)


def states(shell):
    """
    The states of the items, by the lock.
    """
    lines = (shell.cwd / "prompts.csv.lock").read_text().splitlines()
    return Counter(json.loads(line)["state"] for line in lines)


@pytest.mark.long
@pytest.mark.posix
@pytest.mark.timeout(300)
def test_batch_killed_at_many_points_pays_once_for_each_item(shell, batch, live):
    for jobs in (1, 4, 9, ITEMS):
        with batch() as process:
            after(live, jobs)
            process.kill()

    ended = [shell(*BATCH).code for _ in range(2)]

    # A request that was killed before its response is unconfirmed, and not repeated;
    # every other item is there.
    found = states(shell)
    assert {"completed": found["completed"], "unconfirmed": found["unconfirmed"]} == {
        "completed": len([*(shell.cwd / "out").glob("*.png")]),
        "unconfirmed": ITEMS - found["completed"],
    }
    assert [11 if found["unconfirmed"] else 0] * 2 == ended
    assert found["completed"] <= live.bills <= ITEMS
    # What a kill left behind in the middle of a download has no name of a result.
    for path in (shell.cwd / "out").glob("[!.]*"):
        with Image.open(path) as picture:
            picture.load()


@pytest.mark.long
@pytest.mark.posix
def test_batch_killed_after_all_responses_is_completed_by_the_next_run(
    shell, batch, live
):
    live.add_faults("submit:takes=3*")
    lock = shell.cwd / "prompts.csv.lock"
    with batch() as process:
        wait_until(lambda: lock.exists() and lock.read_text().count("\n") == ITEMS)
        process.kill()

    ended = shell(*BATCH).code

    assert (0, ITEMS, {"completed": ITEMS}) == (ended, live.bills, states(shell))


@pytest.mark.long
@pytest.mark.posix
def test_batch_killed_before_a_response_leaves_that_item_unconfirmed(
    shell, batch, live
):
    live.add_faults("submit:hang-after=60@thing 7")
    with batch() as process:
        after(live, ITEMS)
        time.sleep(1)
        process.kill()

    ended = [shell(*BATCH).code for _ in range(2)]

    assert ([11, 11], ITEMS) == (ended, live.bills)
    assert {"completed": ITEMS - 1, "unconfirmed": 1} == states(shell)


@pytest.mark.long
@pytest.mark.posix
def test_batch_terminated_before_a_response_is_not_paid_again_on_another_machine(
    shell, batch, live
):
    live.add_faults("submit:hang-after=60@thing 7")
    with batch() as process:
        after(live, ITEMS)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    bills = live.bills

    elsewhere = {"KREA_STATE_DIR": str(shell.cwd / "other")}
    ended = shell(*BATCH, env=shell.env | elsewhere)

    assert (11, ITEMS, ITEMS) == (ended.code, bills, live.bills)


@pytest.mark.long
@pytest.mark.posix
@pytest.mark.parametrize(
    ("items", "options", "says", "most_seconds"),
    [
        (2, (), "Saved 0 of 2. 2 jobs keep running and will be billed.", 1),
        (100, (), "Saved 0 of 100. 100 jobs keep running and will be billed.", 1),
        (100, ("--cancel-on-interrupt",), "Cancelled 100 jobs. Saved 0 of 100.", 4),
    ],
)
def test_batch_interrupted_reports_in_four_lines(
    shell, batch, live, items, options, says, most_seconds
):
    live.add_faults("submit:takes=30*")
    lock = shell.cwd / "prompts.csv.lock"
    with batch(*options, items=items) as process:
        wait_until(lambda: lock.exists() and lock.read_text().count("\n") == items)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        seconds = time.monotonic() - began
    said = err.decode()
    said = said[said.index("error: ") :].splitlines()

    assert -signal.SIGINT == process.returncode
    assert f"error: Interrupted. {says}" == said[0]
    assert said[1].startswith("hint: Continue: krea batch prompts.csv -m flux-1-dev")
    assert options or re.fullmatch("hint: Stop them: krea cancel @[0-9a-f]{8}", said[2])
    assert len(said) <= 4, said
    assert seconds < most_seconds
    assert {"cancelled" if options else "submitted": items} == states(shell)


@pytest.mark.long
@pytest.mark.posix
def test_batch_interrupted_is_completed_by_the_command_that_it_names(
    shell, batch, live
):
    with batch("--limit", "8") as process:
        after(live, 8)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    [command] = re.findall("Continue: krea (.*)", err.decode())

    again = shell(*shlex.split(command))

    assert (0, 8) == (again.code, live.bills)
    assert 8 == len([*(shell.cwd / "out").glob("*.png")])


@pytest.mark.long
@pytest.mark.posix
def test_two_runs_at_the_same_moment_share_the_jobs(batch, live):
    with batch() as one, batch() as other:
        ended = [each.wait(timeout=50) for each in (one, other)]

    assert ([0, 0], ITEMS) == (ended, live.bills)


@pytest.mark.long
@pytest.mark.posix
def test_two_runs_without_a_journal_take_turns(batch, live):
    with batch("--no-journal") as one, batch("--no-journal") as other:
        ended = [each.wait(timeout=50) for each in (one, other)]

    assert ([0, 0], ITEMS) == (ended, live.bills)
