"""
Ctrl-C at any moment of a run.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import time as real_time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from conftest import png
from faults.cells import PICTURE_OUT
from faults.user import User, service

MOMENTS, AT_ONCE = 20, 2
# Each part of the run takes so long that some moments fall into it; in all, more than
# the last of them.
IMAGES = 5
FAULTS = (*["upload:slow=0.3"] * IMAGES, "submit:slow=0.8", "result:slow=3")
LAST_SECONDS = 4.8


def moments():
    """
    Seconds after the start, spread over the run.
    """
    chance = random.Random(20261122)
    part = LAST_SECONDS / MOMENTS
    return [part * (at + chance.random()) for at in range(MOMENTS)]


def begun(process):
    """
    The moment from which on the program, and no more Python, gets the signals.
    """
    wanted = 1 << (signal.SIGHUP - 1)
    status = Path(f"/proc/{process.pid}/status")
    while True:
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        if int(lines["SigCgt"], 16) & wanted:
            return real_time.monotonic()
        real_time.sleep(0.002)


def interrupted(folder, moment):
    """
    All that is wrong with the end of a run that is interrupted then, in words.
    """
    place = folder / f"{moment:.3f}"
    with service(place / "service") as live:
        live.add_faults(*FAULTS)
        user = User(place / "user", live.url)
        inputs = list[str]()
        for number in range(IMAGES):
            (user.cwd / f"{number}.png").write_bytes(png((8 + number, 8)))
            inputs += ["-i", f"{number}.png"]
        # A model without published times: it is polled soon.
        model = ("-m", "google/nano-banana")
        process = user.start("generate", "an owl", *model, *inputs, "-o", PICTURE_OUT)
        until = begun(process) + moment
        real_time.sleep(max(0.0, until - real_time.monotonic()))
        process.send_signal(signal.SIGINT)
        sent = real_time.monotonic()
        out, err = process.communicate(timeout=50)
        took = real_time.monotonic() - sent
        user.said += [out.decode(), err.decode()]
        stages = [state for state, _ in records(user)]
        wrong = list(found(user, live, process.returncode, took, err.decode()))
    return stages, [f"{moment:.3f} s: {each}" for each in wrong]


def found(user, live, code, took, said):
    if code != -signal.SIGINT:
        yield f"exit {code}: {said}"
    if took > 1:
        yield f"it took {took:.1f} s"
    yield from map(str, user.rest)
    live._faults.clear()
    for state, job_id in records(user):
        if job_id and not user.names_way_to(job_id, said):
            yield f"{state}, but it does not say how to collect the job: {said}"
        if not job_id and "krea jobs recover" not in said:
            yield f"{state}, but it does not say how to find out: {said}"
        user.follow(said)
        if not user.picture.exists():
            yield f"{state}, and the picture does not arrive: {said}"
    if live.bills != len(records(user)):
        yield f"{live.bills} bills for {records(user)}"


def records(user):
    path = user.folder / "state" / "journal.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT state, job_id FROM records").fetchall()


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the start is told by /proc alone"
)
def test_ctrl_c_at_any_moment(tmp_path):
    """
    Within a second exit 130, nothing half done, and the command that leads to the
    picture, without another bill, from the moment that there may be one.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(lambda at: interrupted(tmp_path, at), moments()))

    assert [] == [each for _, wrong in ends for each in wrong]
    # The moments were what they are meant to be: before it, within it, and after it.
    stages = [stages for stages, _ in ends]
    assert all([each] in stages for each in ("submitted", "completed"))
    assert [] in stages
    assert ["intended"] in stages or ["unknown"] in stages


@pytest.mark.long
@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signal_during_parallel_uploads_ends_them(tmp_path, number):
    """
    Within a second, with nothing left behind and nothing billed; the same command then
    uploads all files.
    """
    with service(tmp_path / "service") as live:
        user = User(tmp_path / "user", live.url)
        files = [f"{each}.png" for each in range(12)]
        for each, name in enumerate(files):
            (user.cwd / name).write_bytes(png((8 + each, 8)))
        live.add_faults(*["upload:slow=5"] * len(files))
        process = user.start("upload", *files)
        begun(process)
        real_time.sleep(1.5)
        process.send_signal(number)
        sent = real_time.monotonic()
        process.communicate(timeout=50)
        took = real_time.monotonic() - sent
        rest = [] if number == signal.SIGKILL else user.rest
        live._faults.clear()
        again = user.start("upload", *files)
        out, _ = again.communicate(timeout=50)

    assert (-number, []) == (process.returncode, rest)
    assert took < 1.5
    assert (0, 12) == (again.returncode, len(out.splitlines()))
