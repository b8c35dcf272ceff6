"""
A batch is killed at each point of its run, and run again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from batch.dying_batch import POINTS
from conftest import Krea, png
from PIL import Image
from service import TOKEN, Service

from krea_cli.runtime.clock import Clock

TESTS = Path(__file__).parents[1]
BATCH = ("batch", "prompts.csv", "-m", "flux-1-dev", "-o", "out/{name}.png")
ITEMS = 3
# Nobody knows whether these requests arrived.
UNCONFIRMED = dict.fromkeys(("claimed", "sent", "response"), (11,))


@pytest.fixture
def live(tmp_path):
    """
    A service whose results come in several chunks.
    """
    picture = png((300, 300))
    with Service(tmp_path / "service", token=TOKEN, picture=picture) as it:
        yield it


@pytest.fixture
def project(shell, live):
    shell.env |= {"KREA_API_URL": live.url, "KREA_API_KEY": TOKEN}
    shell.env["PYTHONPATH"] = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    rows = "".join(f"n{number},thing {number}\n" for number in range(ITEMS))
    (shell.cwd / "prompts.csv").write_text(f"name,prompt\n{rows}")
    return shell


@pytest.fixture
def krea(project, monkeypatch):
    """
    Run the program in-process on real time: only the one that dies needs a process.
    """
    monkeypatch.chdir(project.cwd)
    return Krea(project.env, Clock())


def killed(project, point):
    program = Path(__file__).with_name("dying_batch.py")
    return subprocess.run(
        [sys.executable, program, point, *BATCH],
        env=project.env,
        cwd=project.cwd,
        capture_output=True,
        timeout=50,
        check=False,
    ).returncode


def bills(live):
    prompts = [job.fields["prompt"] for job in live.store.jobs()]
    return sorted(prompts)


def whole_files(project):
    found = []
    for path in (project.cwd / "out").glob("[!.]*"):
        with Image.open(path) as picture:
            picture.load()
        found.append(path.name)
    return sorted(found)


@pytest.mark.long
@pytest.mark.posix
@pytest.mark.parametrize("point", POINTS)
def test_batch_killed_at_a_point_and_run_again_pays_once(project, krea, live, point):
    code = killed(project, point)
    torn = whole_files(project)
    ended = krea(*BATCH)
    once = bills(live)
    here = whole_files(project)
    # Another machine, with the lock alone.
    shutil.rmtree(project.cwd / "out", ignore_errors=True)
    other = krea(*BATCH, env={"KREA_STATE_DIR": str(project.cwd / "other")})

    # Items are submitted at once, so that a kill may leave others unconfirmed.
    ends = UNCONFIRMED.get(point, (0, 11))
    assert (-signal.SIGKILL, True) == (code, ended.code in ends), ended.err
    assert ended.code == other.code, other.err
    assert sorted(set(once)) == once == bills(live)
    assert set(torn) <= set(here) == set(whole_files(project))
    if ended.code == 0:
        assert ITEMS == len(once) == len(here)
