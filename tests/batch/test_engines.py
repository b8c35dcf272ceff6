"""
The engines that `krea help batch` names, each run twice: the second time pays for
nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from krea_cli.cli.help import topics

pytestmark = [pytest.mark.long, pytest.mark.posix, pytest.mark.timeout(300)]
README = Path(__file__).parents[2] / "README.md"
NAMES = ("owl", "two words", "fox")
MANIFEST = "".join(
    f'[[pictures]]\nprompt = "a {name}"\nmodel = "flux-1-dev"\n'
    f'output = "out/{name}.png"\n'
    for name in NAMES
)
# A rule whose command is that of the help.
MAKEFILE = """\
all: out/owl.png out/fox.png
out/%.png: pictures.toml
\tkrea batch pictures.toml --only $@
\ttouch $@
"""
SNAKEFILE = """\
rule all:
    input: "out/owl.png", "out/fox.png"

rule picture:
    output: "out/{name}.png"
    shell: "krea batch pictures.toml --only {output}"
"""


@pytest.fixture
def sh(env, tmp_path):
    """
    Runs shell lines in a folder with a manifest, with krea on PATH.
    """
    (tmp_path / "pictures.toml").write_text(MANIFEST)
    path = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"

    def run(line):
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=tmp_path,
            env=env | {"PATH": path, "KREA_SANDBOX": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )

    return run


def bills(sh):
    return len(sh("krea jobs list -q").stdout.splitlines())


def recipe(word):
    """
    The only line of the help with the word.
    """
    [found] = [each for each in topics.text("batch").splitlines() if word in each]
    return found.strip()


def needs(tool):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")


def test_make_calls_a_batch_for_each_file(sh, tmp_path):
    needs("make")
    (tmp_path / "Makefile").write_text(MAKEFILE)

    first, second = sh("make -j2"), sh("make -j2")

    assert (0, 0, 2) == (first.returncode, second.returncode, bills(sh)), first.stderr
    assert "Nothing to be done" in second.stdout


def test_parallel_calls_a_batch_for_each_output(sh, tmp_path):
    needs("parallel")

    ended = [sh(recipe("| parallel")) for _ in range(2)]

    assert [0, 0] == [each.returncode for each in ended], ended[0].stderr
    assert len(NAMES) == bills(sh) == len(list((tmp_path / "out").iterdir()))


def test_snakemake_calls_a_batch_for_each_output(sh, tmp_path):
    needs("snakemake")
    (tmp_path / "Snakefile").write_text(SNAKEFILE)

    first = sh("snakemake -c2")
    shutil.rmtree(tmp_path / "out")
    second = sh("snakemake -c2")

    assert (0, 0, 2) == (first.returncode, second.returncode, bills(sh)), first.stderr
    assert 2 == len(list((tmp_path / "out").iterdir()))


def test_shards_are_collected_with_merged_locks(sh, tmp_path):
    submit = recipe("--shard 2/5")
    for number in range(1, 6):
        line = submit.replace("2/5", f"{number}/5").replace("part-2", f"part-{number}")
        assert 0 == sh(line).returncode
    # The sandbox has locks of its own names.
    collect = recipe("cat part-").replace("pictures.toml.lock", "all.lock")
    collect = collect.replace("--collect", "--lock all.lock --collect")

    collected = sh(collect)
    check = sh("krea batch pictures.toml --lock all.lock --check")

    assert (0, 0) == (collected.returncode, check.returncode), collected.stderr
    assert len(NAMES) == bills(sh) == len(list((tmp_path / "out").iterdir()))


def test_recipes_need_no_workarounds():
    text = README.read_text() + topics.text("ci") + topics.text("batch")

    found = [word for word in ("KREA_STATE_DIR", "sha256sum", "xargs") if word in text]

    assert [] == found
