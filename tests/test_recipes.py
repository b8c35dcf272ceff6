"""
The recipes of `krea help ci`, run as they stand, against the sandbox.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import steps
from PIL import Image

from krea_cli.cli.help import topics

ROOT = Path(__file__).parents[1]
RECIPES = topics.text("ci") + "\n"
ASTRONAUT = ROOT / "tests" / "data" / "astronaut.jpg"


def block(language, word):
    """
    The only block of the topic in that language that has the word in it.
    """
    blocks = re.findall(
        rf"^```{language}\n(.*?)^```", RECIPES, re.DOTALL | re.MULTILINE
    )
    [found] = [each for each in blocks if word in each]
    return found


def batch_line(recipe):
    """
    The command of the recipe that makes the pictures.
    """
    [found] = re.findall(r"^ *(?:- |run: )+(krea batch .*)$", recipe, re.MULTILINE)
    return found


def mirrored(path):
    """
    Another picture at *path*.
    """
    with Image.open(ASTRONAUT) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path, "JPEG")


@pytest.fixture
def folder(env, tmp_path):
    """
    Runs shell lines in a folder with two pictures, with krea on PATH.
    """
    for name in ("pictures", "in"):
        (tmp_path / name).mkdir()
        shutil.copy(ASTRONAUT, tmp_path / name / "one.jpg")
        mirrored(tmp_path / name / "two-two.jpg")
    path = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    variables = {"PATH": path, "KREA_SANDBOX": "1", "CI": "true"}

    def run(*argv, **more):
        return subprocess.run(
            argv,
            cwd=tmp_path,
            env=env | variables | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )

    return run


def jobs(folder):
    """
    How many jobs were sent.
    """
    return folder("krea", "jobs", "list", "-q").stdout.splitlines()


@pytest.mark.long
def test_the_github_workflow(folder, tmp_path):
    """
    Each picture is edited once, also when it runs again without the results; the step
    has its outputs and its summary.
    """
    line = batch_line(block("yaml", "actions/checkout"))
    step = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }

    first = folder("bash", "-e", "-c", line, **step)
    made = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    for name in made:
        (tmp_path / "out" / name).unlink()
    again = folder("bash", "-e", "-c", line, **step)

    assert (0, 0) == (first.returncode, again.returncode), first.stderr + again.stderr
    assert {"one.png", "two-two.png"} == set(made)
    assert 2 == len(jobs(folder))
    assert made == {
        path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")
    }
    assert "out/" in steps.outputs((tmp_path / "outputs").read_text())["path"]
    assert (tmp_path / "summary").read_text()


@pytest.mark.long
def test_the_gitlab_job(folder, tmp_path):
    """
    Each picture is edited once, also when it runs again.
    """
    line = batch_line(block("yaml", "before_script"))

    ended = [folder("bash", "-e", "-c", line) for _ in range(2)]

    assert [0, 0] == [each.returncode for each in ended], ended[0].stderr
    assert ["one.png", "two-two.png"] == sorted(
        path.name for path in (tmp_path / "out").glob("*.png")
    )
    assert 2 == len(jobs(folder))


@pytest.mark.long
def test_the_makefile(folder, tmp_path):
    """
    What is there is not made again, what changed is.
    """
    (tmp_path / "Makefile").write_text(block("make", ".PHONY"))

    first = folder("make")
    second = folder("make")
    with Image.open(ASTRONAUT) as picture:
        picture.rotate(90).save(tmp_path / "in" / "one.jpg")
    third = folder("make", "out/one.png")

    assert [0, 0, 0] == [each.returncode for each in (first, second, third)], third
    assert 3 == len(jobs(folder))
