"""
The recipes of `krea help ci`, run as they stand, against the sandbox.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import steps

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


def shell_lines(recipe, key):
    """
    The shell text under *key* that has the find line.
    """
    begin = rf"^ *(?:{key}:|-) \|\n"
    texts = re.findall(begin + r"((?: .*\n)+?)(?= *- |  [a-z])", recipe, re.MULTILINE)
    [found] = [text for text in texts if "find " in text]
    return textwrap.dedent(found)


@pytest.fixture
def folder(env, tmp_path):
    """
    Runs shell lines in a folder with two pictures, with krea on PATH.
    """
    for name in ("pictures", "in"):
        (tmp_path / name).mkdir()
        shutil.copy(ASTRONAUT, tmp_path / name / "one.jpg")
        content = ASTRONAUT.read_bytes()
        (tmp_path / name / "two-two.jpg").write_bytes(content + b"\0")
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


def jobs(folder, tmp_path):
    """
    How many jobs were sent, by all journals.
    """
    found = []
    for journal in sorted((tmp_path / "journals").iterdir()):
        listed = folder("krea", "jobs", "list", "--json", KREA_STATE_DIR=str(journal))
        found += [json.loads(line)["job_id"] for line in listed.stdout.splitlines()]
    return found


@pytest.mark.long
def test_the_github_workflow(folder, tmp_path):
    """
    Each picture is edited once, also when it runs again without the results; the step
    has its outputs and its summary.
    """
    lines = shell_lines(block("yaml", "actions/checkout"), "run")
    step = {
        "PROMPT": "a watercolor",
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }

    first = folder("bash", "-e", "-c", lines, **step)
    made = sorted(path.read_bytes() for path in (tmp_path / "out").iterdir())
    shutil.rmtree(tmp_path / "out")
    again = folder("bash", "-e", "-c", lines, **step)

    assert (0, 0) == (first.returncode, again.returncode), first.stderr + again.stderr
    assert made == sorted(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert 2 == len(jobs(folder, tmp_path))
    assert steps.outputs((tmp_path / "outputs").read_text())["path"].startswith("out/")
    assert 2 + 4 == len((tmp_path / "summary").read_text().splitlines())


@pytest.mark.long
def test_the_gitlab_job(folder, tmp_path):
    """
    Each picture is edited once, also when it runs again.
    """
    lines = "mkdir -p out\n" + shell_lines(block("yaml", "before_script"), "-")

    ended = [folder("bash", "-e", "-c", lines, PROMPT="a watercolor") for _ in range(2)]

    assert [0, 0] == [each.returncode for each in ended], ended[0].stderr
    assert ["one.png", "two-two.png"] == sorted(
        path.name for path in (tmp_path / "out").iterdir()
    )
    assert 2 == len(jobs(folder, tmp_path))


@pytest.mark.long
def test_the_makefile(folder, tmp_path):
    """
    What is there is not made again, what changed is.
    """
    (tmp_path / "Makefile").write_text(block("make", "patsubst"))

    first = folder("make", "-j", "2")
    second = folder("make", "-j", "2")
    (tmp_path / "in" / "one.jpg").write_bytes(ASTRONAUT.read_bytes() + b"\0\0")
    third = folder("make")

    assert [0, 0, 0] == [each.returncode for each in (first, second, third)], first
    assert "" == second.stderr
    assert 3 == len(jobs(folder, tmp_path))
