"""
Several processes at once: one journal, one record for each.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from faults.user import User, service

PROCESSES = 8


@pytest.fixture
def live(tmp_path):
    with service(tmp_path / "service") as live:
        yield live


@pytest.fixture
def user(tmp_path, live):
    return User(tmp_path / "user", live.url)


def at_once(user, *words):
    """
    The exit codes of so many processes, what they said, and on which stream.
    """
    running = [user.start(*words) for _ in range(PROCESSES)]
    ended = [process.communicate(timeout=50) for process in running]
    outs, errs = zip(*ended, strict=True)
    user.said += [text.decode() for text in (*outs, *errs)]
    codes = [process.returncode for process in running]
    return codes, [out.decode() for out in outs], [err.decode() for err in errs]


def records(user):
    query = "SELECT state, job_id FROM records"
    with closing(sqlite3.connect(user.folder / "state" / "journal.db")) as db:
        return db.execute(query).fetchall()


@pytest.mark.long
def test_processes_that_submit_at_once(user, live):
    """
    Also when none of them finds a journal: a record and a job for each, and nobody is
    told of a lock.
    """
    codes, outs, errs = at_once(user, "generate", "an owl", "--no-wait")

    made = {job.job_id for job in live.store.jobs()}
    assert [0] * PROCESSES == codes, errs
    assert PROCESSES == len(made)
    assert made == {out.strip() for out in outs}
    assert {("submitted", job_id) for job_id in made} == set(records(user))
    assert [""] * PROCESSES == errs
    assert [] == user.leaks(live)


@pytest.mark.long
@pytest.mark.parametrize(("fault", "code"), [("slow", 0), ("reset-after", 11)])
def test_processes_that_send_the_same_once_more(user, live, fault, code):
    """
    One of them does, also if its answer is lost; the others are told that it is being
    sent, or that there may be a job.
    """
    live.add_faults("submit:reset", f"submit:{fault}")
    lost = user("generate", "an owl", "--timeout", "1")
    user.rests()

    codes, _, errs = at_once(user, "jobs", "recover", "--resubmit")

    assert 11 == lost.code
    assert sorted([code, *[2] * (PROCESSES - 1)]) == sorted(codes), errs
    assert (2, 1) == (len(live.requests("POST /generate/")), live.bills)
    assert 1 == len(records(user))
    assert not [err for err in errs if "locked" in err]
