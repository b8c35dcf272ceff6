"""
Every command that a hint names saves the files that the run itself would have saved.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from faults.cells import ROUTES, Cell
from faults.user import commands

# Each with the files that are there before it.
ALL = "--force --sidecar --quality-out 40 --expect format=webp --max-size 1MB"
RUNS = {
    "all options": (
        f"-o owl.webp {ALL} --expect min-side=10",
        {"owl.webp": b"old", "owl.webp.json": b"old"},
    ),
    "a template": ("-o pics/{slug}-{model}.{ext} --sidecar", {}),
    "a folder": ("-o 'my owls/' --sidecar", {}),
    "several": ("-n 2 -o owl.jpg --quality-out 40 --sidecar", {}),
}
# What keeps a job from being seen, or its result from being saved, and is over when the
# command is pasted.  Silence takes real time.
CELLS = [
    Cell(at, fault)
    for at in ("job", "result")
    for fault, code in ROUTES[at].codes.items()
    if code in (2, 4, 5, 6, 7, 8) and not fault.startswith(("hang", "trickle"))
]
SHARP = [Cell("job", "junk*"), Cell("result", "junk*")]


def enter(folder, before=()):
    folder.mkdir()
    os.chdir(folder)
    for name, content in dict(before).items():
        Path(name).write_bytes(content)


def files():
    """
    The files in this folder by name; of a sidecar what does not hang on the time.
    """
    found = {}
    for path in sorted(Path().rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            job = r"[0-9a-f]{8}-[0-9a-f-]{27}"
            found[re.sub(job, "JOB", str(path))] = (
                sidecar(content) if path.suffix == ".json" else content
            )
    return found


def sidecar(content):
    kept = json.loads(content)
    for name in ("job_id", "created_at", "completed_at"):
        del kept[name]
    del kept["file"]["url"], kept["file"]["path"]
    return kept


def continued(krea, service, folder, run, cell):
    """
    What is wrong with the commands that are named when `run` meets the fault.
    """
    words, before = RUNS[run]
    # A model without published times: it is polled soon.
    brief = ("-m", "google/nano-banana", "--timeout", "3")
    argv = ("generate", "an owl", *brief, *shlex.split(words))
    if not (folder / "wanted").exists():
        enter(folder / "wanted", before)
        assert 0 == krea(*argv).code
        folder.joinpath("files").write_text(repr(files()))
    place = folder / str(cell).replace("*", "-always")
    enter(place, before)
    service.add_faults(*cell.faults)
    result = krea(*argv)
    service._faults.clear()
    named = list(map(tuple, commands(result.err)))
    if result.code == 0:
        return
    if not named:
        yield f"{cell}: no command: {result.err}"
    for pasted in dict.fromkeys(named):
        again = krea(*pasted)
        if again.code:
            yield f"{cell}: {pasted} ends with {again.code}: {again.err}"
    if folder.joinpath("files").read_text() != repr(files()):
        yield f"{cell}: {named} leave {list(files())}"


def check(krea, service, folder, runs, cells):
    wrong = []
    for run in runs:
        (folder / run).mkdir()
        for cell in cells:
            wrong += continued(krea, service, folder / run, run, cell)
    assert [] == wrong


def test_a_hint_has_the_effect_of_the_options(logged_in, service, tmp_path):
    """
    Of the sharpest faults.
    """
    check(logged_in, service, tmp_path, ["all options"], SHARP)


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("run", RUNS)
def test_every_hint_has_the_effect_of_the_options(logged_in, service, tmp_path, run):
    """
    Whatever goes wrong while a job is waited for or saved.
    """
    check(logged_in, service, tmp_path, [run], CELLS)
