"""
README and the help topics tell the truth: every shell line in them is run, in the order
of its block, in a folder that has the files it names, against the sandbox.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
import terminals
from service import TOKEN, Service

from krea_cli.cli.help import topics

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
# The help topics are part of it.
TEXT = "\n\n".join([README, *map(topics.text, topics.NAMES), ""])
ASTRONAUT = ROOT / "tests" / "data" / "astronaut.jpg"
PICTURES = ("photo.jpg", "house.jpg", "small.jpg", "beach.jpg")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
CONSOLES = [text for language, text in BLOCKS if language == "console"]
SCRIPTS = [text for language, text in BLOCKS if language == "bash"]
# Run elsewhere: the lines of Try it on a clean clone, the others by test_recipes.
ELSEWHERE = {"sh": 1, "yaml": 2, "make": 1, "text": 3, "toml": 2}
# Puts krea where the tests have it already.
INSTALLS = "pipx install ."
# After each command: the code that it ended with, between characters nobody writes.
MARK = "code=$?; printf '\\036%s\\036' $code; (exit $code)"
# What differs from one run to the next.
VARIES = re.compile(r"\b\d+(\.\d+)?(?= (kB|MB|s)\b)")
CONTROLS = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|\r")


def first_line(block):
    return block.splitlines()[0]


def commands(text):
    """
    The words of every command of krea in shell text.
    """
    # A command in quotes is one as well.
    opened = text.replace("\\\n", " ").replace('"$(', "$(").replace(')"', ")")
    for line in opened.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.wordchars += "$@:,{}%!"
        found = None
        for word in lexer:
            if word == "krea":
                found = []
            elif set(word) <= set("();<>|&"):
                yield from filter(None, [found])
                found = None
            elif found is not None:
                found.append(word)
        yield from filter(None, [found])


def in_the_prose():
    """
    The words of every command in the text and its tables, without the marks for what
    may be left out; of several members of a group, the first.
    """
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    for code in re.findall(r"`krea ([^`]+)`", prose.replace("\n", " ")):
        words = re.sub(r"\[|\]|\.\.\.", " ", code.partition(" \\|")[0]).split()
        if words != ["COMMAND", "--help"]:
            yield words


def test_every_line_is_understood(krea):
    """
    krea has each command that README names, with the options that it is given there.
    """
    shell = "".join(CONSOLES + SCRIPTS).replace("$ krea", "krea")
    lines = {tuple(words) for words in [*commands(shell), *in_the_prose()]}
    refused = [line for line in lines if krea(*line, "--help").code]

    assert len(lines) > 40
    assert [] == refused


def test_every_block_is_run():
    """
    Here or elsewhere: there is none that nobody runs, and a line to be typed is always
    in a block of the terminal.
    """
    languages = Counter(language for language, _ in BLOCKS)
    here = {"console": len(CONSOLES), "bash": len(SCRIPTS)}

    assert ELSEWHERE | here == languages
    assert all(block.startswith("$ ") for block in CONSOLES)
    assert not re.findall(r"^\$ ", "".join(SCRIPTS), re.MULTILINE)


@pytest.fixture
def folder(tmp_path):
    """
    What README names.
    """
    folder = tmp_path / "work"
    folder.mkdir()
    for name in PICTURES:
        shutil.copy(ASTRONAUT, folder / name)
    (folder / "photos").mkdir()
    shutil.copy(ASTRONAUT, folder / "photos" / "one.jpg")
    (folder / "prompts.csv").write_text("name,prompt\nowl,an owl\nfox,a fox\n")
    item = '[[pictures]]\nprompt = "an owl"\noutput = "owls/first.png"\n'
    (folder / "pictures.toml").write_text(item)
    return folder


@pytest.fixture
def world(env, tmp_path):
    """
    The environment of the reader: krea on PATH, and a keyring.
    """
    return env | {
        "PATH": f"{Path(sys.executable).parent}:{env['PATH']}",
        "PYTHONPATH": f"{env.get('PYTHONPATH', '')}:{ROOT / 'tests'}",
        "PYTHON_KEYRING_BACKEND": "config.backends.InFile",
        "BACKEND_FILE": str(tmp_path / "items.json"),
        "SHELL": "/bin/bash",
        "TERM": "xterm",
    }


@pytest.fixture
def krea_of(world, tmp_path):
    """
    The reader's environment for a block: the service where a token is stored, what the
    block says where it has an address of its own, else the sandbox.
    """
    with Service(tmp_path / "service", token=TOKEN) as service:

        def choose(block):
            if "auth login" in block:
                return world | {"KREA_API_URL": service.url}
            return world if "KREA_API_URL" in block else world | {"KREA_SANDBOX": "1"}

        yield choose


def steps_of(console):
    """
    Each command of a block of the terminal, with the code that README has it end with
    and the lines that it shows.
    """
    parts = re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
    for part, following in pairwise([*parts, ""]):
        command, *shown = part.splitlines()
        [code] = re.findall(r"^echo \$\?\n(\d+)$", following.strip()) or ["0"]
        if command != INSTALLS:
            yield command, int(code), shown


def plain(text):
    """
    Without what is not for reading, and what differs from one run to the next.
    """
    text = re.sub(r"http://127\.0\.0\.1(:\d+)?", "https://api.krea.ai", text)
    return VARIES.sub("N", CONTROLS.sub("", text))


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("block", CONSOLES, ids=first_line)
def test_at_a_terminal(block, folder, krea_of):
    """
    Each command ends with the code that README says, 0 unless it says another, and
    shows the lines that README shows.
    """
    steps = [*steps_of(block)]
    script = "".join(f"{command}\n{MARK}\n" for command, _, _ in steps)

    ran = terminals.run(
        ["/bin/bash", "-c", f"cd '{folder}'\n{script}"],
        env=krea_of(block),
        size=(100, 40),
        replies={b"Krea API token: ": f"{TOKEN}\n".encode()},
        patience=150,
    )
    said = ran.output.decode().split("\x1e")

    assert [code for _, code, _ in steps] == [*map(int, said[1::2])], said
    for (_, _, shown), output in zip(steps, said[::2], strict=False):
        lines = iter(plain(output).splitlines())
        for line in map(plain, shown):
            assert any(line in each for each in lines), (line, output)


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("block", SCRIPTS, ids=first_line)
def test_as_a_script(block, folder, krea_of):
    """
    Every line succeeds.
    """
    with subprocess.Popen(
        ["/bin/bash", "-eo", "pipefail", "-c", block],
        env=krea_of(block),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as script:
        try:
            _, said = script.communicate(timeout=120)
        finally:  # what it left in the background
            with suppress(ProcessLookupError):
                os.killpg(script.pid, signal.SIGKILL)

    assert 0 == script.returncode, said
