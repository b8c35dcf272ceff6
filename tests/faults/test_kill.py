"""
krea is killed at each point of a run, and its user goes on by what the program says.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time as real_time
from contextlib import closing
from pathlib import Path

import pytest
from faults.cells import PICTURE_OUT
from faults.dying import POINTS
from faults.user import User, service
from media.samples import encoded, picture

WORDS = ("generate", "an owl", "-o", PICTURE_OUT)
# What the journal has then (state, whether there is a job id, whether there are files),
# and how many jobs are billed.
REACHED = {
    "before_journal": ([], 0),
    "journaled": ([("intended", False, False)], 0),
    "sent": ([("intended", False, False)], 1),
    "response": ([("intended", False, False)], 1),
    "id_saved": ([("submitted", True, False)], 1),
    "polled": ([("submitted", True, False)], 1),
    "url_got": ([("submitted", True, False)], 1),
    "mid_download": ([("completed", True, False)], 1),
    "before_fsync": ([("completed", True, False)], 1),
    "before_publish": ([("completed", True, False)], 1),
    "after_publish": ([("completed", True, False)], 1),
    "done_saved": ([("completed", True, True)], 1),
}
IS_SAVED = ("after_publish", "done_saved")


@pytest.fixture
def live(tmp_path):
    """
    A service whose results come in several chunks.
    """
    with service(
        tmp_path / "service", picture=encoded("PNG", picture((300, 300)))
    ) as it:
        yield it


@pytest.fixture
def user(tmp_path, live):
    return User(tmp_path / "user", live.url)


def killed(user, point):
    """
    The exit code of a run that ends at the point.
    """
    program = Path(__file__).with_name("dying.py")
    result = subprocess.run(
        [sys.executable, program, point, *WORDS],
        env=user.env,
        cwd=user.cwd,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    user.said += [result.stdout, result.stderr]
    return result.returncode


def records(user):
    query = "SELECT state, job_id IS NOT NULL, files <> '[]' FROM records"
    with closing(sqlite3.connect(user.folder / "state" / "journal.db")) as db:
        return [(state, *map(bool, rest)) for state, *rest in db.execute(query)]


def settled(live, bills):
    """
    How many jobs there are once what is on its way has arrived: the last thing that a
    dead program sent may be read after its end.
    """
    until = real_time.monotonic() + 5
    while live.bills < bills and real_time.monotonic() < until:
        real_time.sleep(0.02)
    return live.bills


def test_the_points_are_those_that_are_tested():
    """
    Twelve, from before the first trace on disk to after the last.
    """
    assert list(REACHED) == list(POINTS)


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
def test_no_kill_costs_twice_or_tears_a_file(user, live, point):
    """
    What is billed is billed once, the file is whole or not there; and whatever the
    point, the user gets the picture by what the program says, for one bill.
    """
    journal, bills = REACHED[point]

    code = killed(user, point)
    reached = (code, records(user), settled(live, bills), user.picture.exists())
    go_on(user)

    assert (-signal.SIGKILL, journal, bills, point in IS_SAVED) == reached
    assert (1, live.picture) == (live.bills, user.picture.read_bytes())
    assert ["completed"] == [state for state, *_ in records(user)]
    assert [] == user.leaks(live)


def go_on(user):
    """
    As a user would: see to what is in doubt, then to the jobs that there are; without
    any of both, the first command again.
    """
    looked = user("jobs", "recover")
    if looked.out:
        user.follow(looked.err)
    elif not user.picture.exists():
        known = user("jobs", "list").out.split("\t")[0]
        words = ("wait", known, "-o", PICTURE_OUT) if known else WORDS
        assert 0 == user(*words).code
    assert "No unconfirmed requests" in user("jobs", "recover").err
