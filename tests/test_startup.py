"""
What each command loads: an innocent import is paid for by everybody, and every time.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ID = "9a32da0e-18c0-4df8-b67d-5bfd05bcab9f"
SLOW = {
    "asyncio",
    "httpx",
    "keyring",
    "PIL",
    "platformdirs",
    "pydantic",
    "rich",
    "sqlite3",
    "tomlkit",
    "truststore",
    "krea_cli.catalog.catalog",
    "krea_cli.journal.journal",
    "krea_cli.sandbox.server",
}
LOADED = """
import json, sys
from krea_cli.cli.main import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""

# What a command uses; it may load that, and nothing else that is slow.  Folders are
# asked of platformdirs, as the settings file is in one.
USES = [
    ("--version", 0, set()),
    ("--help", 0, set()),
    ("generate --help", 0, set()),
    ("auth status --help", 0, set()),
    ("show --help", 0, set()),
    ("help wait", 0, set()),
    ("doctor --help", 0, set()),
    ("show owl.png", 2, {"platformdirs"}),
    ("status --timeout 3", 2, {"platformdirs"}),
    ("config path", 0, {"platformdirs"}),
    ("config list --json", 0, {"platformdirs"}),
    ("status @last", 2, {"platformdirs", "sqlite3", "krea_cli.journal.journal"}),
    (f"status {ID}", 2, {"platformdirs", "httpx"}),
    (f"wait {ID}", 2, {"platformdirs", "httpx"}),
    ("generate owl --dry-run", 0, {"platformdirs", "krea_cli.catalog.catalog"}),
    ("generate owl -m none --dry-run", 2, {"platformdirs", "krea_cli.catalog.catalog"}),
    # The list of models is updated first.
    ("generate owl -m none", 2, {"platformdirs", "krea_cli.catalog.catalog", "httpx"}),
    # It tells what the variable shadows.
    ("auth status", 0, {"platformdirs", "keyring"}),
]


# The others take a process each.
OFTEN = {"--version", "auth status", f"wait {ID}", "generate owl --dry-run"}


@pytest.mark.parametrize(
    ("words", "code", "uses"),
    [
        pytest.param(*use, marks=[] if use[0] in OFTEN else pytest.mark.long)
        for use in USES
    ],
)
def test_a_command_loads_what_it_uses(remote, words, code, uses):
    """
    With the token in the environment, in a fresh interpreter, standard output a pipe.
    """
    result = subprocess.run(
        [sys.executable, "-c", LOADED, *words.split()],
        env=remote.env,
        cwd=remote.cwd,
        capture_output=True,
        text=True,
        check=True,
    )

    ended, loaded = json.loads(result.stderr.splitlines()[-1])

    assert code == ended
    assert uses == SLOW & set(loaded)


ADDED = """
import sys
import typer
before = set(sys.modules)
from krea_cli.cli.main import main
main(sys.argv[1:])
added = set(sys.modules) - before
# Packages of krea's own are empty, but for one.
ours = {name for name in added if name.startswith("krea_cli.")} - {"krea_cli.media"}
empty = {name for name in ours if hasattr(sys.modules[name], "__path__")}
# Which private modules the standard library has is different in each Python.
private = {name for name in added if name.startswith("_")}
print(*sorted(added - empty - private), file=sys.stderr)
"""
# How many modules beside Typer's own; a few more than it takes today.
MOST = {"--version": 31, "--help": 32, "generate owl --dry-run": 87}


@pytest.mark.parametrize(("words", "most"), MOST.items())
def test_a_start_loads_few_modules(remote, words, most):
    """
    What is loaded for nothing adds up, however small each of it is.
    """
    result = subprocess.run(
        [sys.executable, "-c", ADDED, *words.split()],
        env=remote.env,
        cwd=remote.cwd,
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = result.stderr.splitlines()[-1].split()

    assert "krea_cli.cli.main" in loaded
    assert len(loaded) <= most, loaded
    # Neither of them is for those who only look.
    assert not {"krea_cli.api.models", "hashlib"} & set(loaded)


RUN = """
import atexit, gc, sys
import krea_cli.cli.main
atexit.register(print, "undoing")
real = krea_cli.cli.main.main
def main():
    print(gc.isenabled(), gc.get_freeze_count() > 0)
    return real()
krea_cli.cli.main.main = main
from krea_cli.cli.entry import run
run()
"""


def test_what_was_loaded_is_left_alone(remote):
    """
    Nobody looks for garbage in it, though in all that follows, and nothing of it is
    undone at the end: that takes as long as to load a part of it.
    """
    result = subprocess.run(
        [sys.executable, "-c", RUN, "show", "no.png"],
        env=remote.env,
        cwd=remote.cwd,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (2, "True True\n") == (result.returncode, result.stdout)
    assert result.stderr.startswith("error: ")


def test_without_a_token_the_network_is_not_loaded(remote):
    """
    "Not logged in" is told at once.
    """
    del remote.env["KREA_API_KEY"]

    result = subprocess.run(
        [sys.executable, "-c", LOADED, "status", ID],
        env=remote.env,
        capture_output=True,
        text=True,
        check=True,
    )
    ended, loaded = json.loads(result.stderr.splitlines()[-1])

    assert 4 == ended
    assert {"platformdirs", "keyring"} == SLOW & set(loaded)


TAB = """
import json, os, sys
from krea_cli.cli.completion.main import complete
complete(os.environ)
print(json.dumps(sorted(sys.modules)))
"""
# A TAB that takes longer than the program's own start would be felt.
OFFERS = {
    "krea gen": set(),
    "krea generate --n": set(),
    "krea generate -i ": {"platformdirs", "krea_cli.catalog.catalog"},
    "krea generate -m ": {"platformdirs", "krea_cli.catalog.catalog"},
    "krea generate -p aspect_ratio=": {"platformdirs", "krea_cli.catalog.catalog"},
    "krea status ": {"platformdirs", "sqlite3"},
}


@pytest.mark.parametrize(
    ("line", "uses"),
    [
        pytest.param(line, uses, marks=[] if "sqlite3" in uses else pytest.mark.long)
        for line, uses in OFFERS.items()
    ],
)
def test_a_completion_loads_what_it_uses(shell, line, uses):
    """
    No network, no keyring, and not even Typer.
    """
    env = shell.env | {"_KREA_COMPLETE": "fish", "_KREA_LINE": line}
    result = subprocess.run(
        [sys.executable, "-c", TAB],
        env=env,
        cwd=shell.cwd,
        capture_output=True,
        text=True,
        check=True,
    )

    assert uses == (SLOW | {"typer"}) & set(json.loads(result.stdout))
