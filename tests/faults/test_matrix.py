"""
Every fault of the service at every route, met by krea as a process.
"""

from __future__ import annotations

import json
import time as real_time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from conftest import png
from faults.cells import CELLS, PICTURE_IN, ROUTES, SHARP, TRAIN
from faults.user import User, service

from krea_cli.sandbox import faults

AT_ONCE = 10
# The silent ones all together, as they take half a minute each.
GROUPS = {"silence": [cell for cell in CELLS if cell.takes_long]} | {
    at: [cell for cell in CELLS if cell.at == at and not cell.takes_long]
    for at in ROUTES
}


def met(folder, cell):
    """
    Run the command while the service has the fault; all that is wrong with what came of
    it, in words.
    """
    place = folder / str(cell).replace("*", "-always").replace(" ", "-")
    with service(place / "service", sleep=partial(slowed, cell)) as live:
        user = User(place / "user", live.url)
        (user.cwd / PICTURE_IN).write_bytes(png())
        live.add_faults(*cell.faults)
        result = user(*cell.words)
        live._faults.clear()
        return [f"{cell}: {each}" for each in found(user, live, result, cell.code)]


def slowed(cell, seconds):
    """
    A byte a second is too slow for a result, and for a job that is looked at; where
    minutes are allowed, a hundred a second must do.
    """
    is_quick = "trickle" in cell.fault and cell.at not in ("job", "result")
    real_time.sleep(seconds / 100 if is_quick else seconds)


def found(user, live, result, code):
    if code != result.code:
        yield f"exit {result.code}, not {code}: {result.err}"
    taken = [job.job_id for job in live.store.jobs()]
    is_there = user.picture.exists()
    if is_there != (result.code == 0 and user.picture.name in result.out):
        yield f"exit {result.code}, picture: {is_there}"
    goes_on = taken and not is_there and result.code in (2, 4, 5, 6, 7, 8)
    if goes_on and not user.names_way_to(taken[0], result.err):
        yield f"it does not say how to collect the job: {result.err}"
    if result.code in (7, 8, 11):
        pasted = user.follow(result.err)
        is_there = user.picture.exists()
        if not is_there:
            yield f"the picture does not arrive by {pasted}"
    if is_there and user.picture.read_bytes() != live.picture:
        yield "the picture is torn"
    bills = ledger(live)["count"]
    if bills > 1 or bills < is_there:
        yield f"{bills} bills"
    yield from user.leaks(live)
    yield from map(str, user.rest)


def ledger(live):
    with urllib.request.urlopen(f"{live.url}/sandbox/ledger") as answer:
        return json.load(answer)


def all_met(folder, cells):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(partial(met, folder), cells)
        return [each for wrong in found for each in wrong]


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("group", GROUPS)
def test_no_fault_costs_twice(tmp_path, group):
    """
    One bill at most, the exit code of design, the token nowhere; and where the job goes
    on or is in doubt, what is said leads to the picture without another bill.
    """
    assert [] == all_met(tmp_path, GROUPS[group])


@pytest.mark.long
def test_no_fault_costs_twice_in_short(tmp_path):
    """
    The same of the sharpest of them.
    """
    assert [] == all_met(tmp_path, SHARP)


@pytest.mark.long
@pytest.mark.parametrize(("fault", "code"), TRAIN.items())
def test_no_fault_of_a_training_costs_twice(tmp_path, fault, code):
    """
    What is said where the training is in doubt leads to its style.
    """
    with service(tmp_path / "service") as live:
        user = User(tmp_path / "user", live.url)
        (user.cwd / PICTURE_IN).write_bytes(png())
        live.add_faults(f"submit:{fault}")
        # It ends before the service takes requests again.
        soon = ("--timeout", "5") if fault == "429=99" else ()
        words = ("styles", "train", "ink", PICTURE_IN, "--model", "k2", "-v", *soon)
        result = user(*words)
        live._faults.clear()
        jobs = live.store.jobs()

        assert code == result.code, result.err
        assert 1 == len(live.requests("POST /styles/train")) - (fault == "429")
        if code == 11:
            user.follow(result.err)
            jobs = live.store.jobs()
            waited = user("wait")
            assert jobs[0].style_id in waited.out
        assert (code in (0, 3, 11)) == len(jobs)
        assert (code == 0) == any(job.style_id in result.out for job in jobs)
        assert [] == user.leaks(live)


def test_the_matrix_has_every_fault():
    """
    One that the sandbox learns is to be met here, too.
    """
    met = {cell.fault.partition("=")[0].rstrip("*") for cell in CELLS}

    assert {name for name in faults.NAMES if not name[0].isdigit()} <= met
