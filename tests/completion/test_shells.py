"""
The script for bash in bash, without a person; how scripts are installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from krea_cli.cli.completion import scripts

COMPLETIONS = Path(__file__).parents[2] / "completions"
# Calls the function as bash does, and lets bash read what it would have inserted.
BASH = """
. "$1"
complete -p krea >/dev/null || exit
COMP_LINE=$2 COMP_POINT=${#2}
_krea krea "$3" ''
for each in "${COMPREPLY[@]}"; do
    eval "inserted=($each)"
    printf '%s\\n' "${inserted[@]}"
done
"""
NASTY = "a $(touch pwned) `touch pwned` ;'\"&|.png"

needs_bash = pytest.mark.skipif(not shutil.which("bash"), reason="bash is missing")


@pytest.fixture
def run(shell, tmp_path):
    """
    Runs a shell where krea is a command.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    krea = folder / "krea"
    krea.write_text(f'#!/bin/sh\nexec {sys.executable} -m krea_cli "$@"\n')
    krea.chmod(0o755)
    shell.env["PATH"] = f"{folder}:{shell.env['PATH']}"

    def run(*command):
        done = subprocess.run(
            command,
            env=shell.env,
            cwd=shell.cwd,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (0, "") == (done.returncode, done.stderr)
        return done.stdout.splitlines()

    return run


IN_BASH = {
    "a word": ("krea gen", "gen", ["generate"]),
    "after an equals sign": ("krea generate -p aspect_ratio=16", "16", ["16:9"]),
    "after a colon": ("krea generate -p aspect_ratio=16:", "", ["9"]),
    "after a closed quote": (
        "krea generate -m 'bfl'/flux-1-d",
        "'bfl'/flux-1-d",
        ["bfl/flux-1-dev"],
    ),
    "files": ("krea generate -o ", "", []),
}


@needs_bash
@pytest.mark.parametrize(
    ("line", "word", "inserted"),
    [
        pytest.param(
            *values,
            id=name,
            marks=[] if name == "after a colon" else pytest.mark.long,
        )
        for name, values in IN_BASH.items()
    ],
)
def test_bash_inserts_the_rest_of_the_word(run, line, word, inserted):
    """
    What it replaces begins after the last "=" or ":".
    """
    script = str(COMPLETIONS / "krea.bash")

    assert inserted == run("bash", "--norc", "-c", BASH, "-", script, line, word)


@needs_bash
def test_in_bash_a_file_name_does_nothing(run, shell):
    """
    Whatever is in it, bash reads what was inserted as that one word, and runs nothing.
    """
    (shell.cwd / NASTY).touch()
    script, line = str(COMPLETIONS / "krea.bash"), "krea generate -i a"

    inserted = run("bash", "--norc", "-c", BASH, "-", script, line, "a")

    assert [NASTY] == inserted
    assert [NASTY] == [path.name for path in shell.cwd.iterdir()]


INSTALLED = {
    "bash": (".local/share/krea-cli/krea.bash", ".bashrc"),
    "zsh": (".local/share/krea-cli/_krea", ".zshrc"),
    "fish": (".config/fish/completions/krea.fish", None),
}


@pytest.mark.parametrize("name", INSTALLED)
def test_it_is_installed_once(krea, name):
    """
    The script, and a line of a start-up file that keeps the rest of it; done again,
    nothing changes.  It is said how to undo it.
    """
    home = Path(krea.env["HOME"])
    script, startup = INSTALLED[name]
    krea.env["SHELL"] = f"/usr/bin/{name}"
    if startup:
        (home / startup).write_text("alias k=krea")

    first = krea("--install-completion")
    lines = (home / startup).read_text() if startup else None
    again = krea("--install-completion")

    paths = [str(home / path) for path in (script, startup) if path]
    assert (0, paths) == (first.code, first.out.splitlines())
    assert first == again
    assert f"To remove completion, delete {home / script}\n" in first.err
    assert scripts.text(name) == (home / script).read_text()
    if startup:
        assert f"alias k=krea\n[ ! -r {home / script} ] || . {home / script}\n" == lines
        assert lines == (home / startup).read_text()


def test_a_login_shell_that_would_not_complete_is_told(krea):
    """
    Bash then reads a profile alone: named is the one that it reads, unless that goes on
    to ~/.bashrc.
    """
    home = Path(krea.env["HOME"])
    krea.env["SHELL"] = "/bin/bash"

    none = krea("--install-completion").err
    (home / ".profile").write_text("umask 022")
    one = krea("--install-completion").err
    (home / ".bash_profile").write_text("[ ! -r ~/.bashrc ] || . ~/.bashrc")
    other = krea("--install-completion").err

    line = '[ -z "$BASH_VERSION" ] || . ~/.bashrc'
    assert f"add this line to {home / '.bash_profile'}: {line}\n" in none
    assert f"add this line to {home / '.profile'}: {line}\n" in one
    assert "For login shells" not in other


def test_where_it_cannot_be_installed_it_is_said_how(krea):
    """
    Exit 2 for another shell, 7 where nothing can be written; --show-completion prints
    the script of each.
    """
    Path(krea.env["HOME"], ".local").write_text("")

    other = krea("--install-completion", env={"SHELL": "/bin/tcsh"})
    unnamed = krea("--install-completion", env={"SHELL": ""})
    blocked = krea("--install-completion", env={"SHELL": "/bin/bash"})

    assert (2, 7) == (other.code, blocked.code)
    assert "Completion is not supported for tcsh." in other.err
    assert "--show-completion powershell" not in other.err
    assert "--show-completion powershell" in unnamed.err
    assert "--show-completion bash" in blocked.err
    for shell in scripts.NAMES:
        shown = krea("--show-completion", shell)
        assert (0, scripts.text(shell)) == (shown.code, shown.out)


def test_powershell_has_two_names(krea):
    """
    The newer one calls itself pwsh.
    """
    shown = krea("--show-completion", "pwsh")
    installed = krea("--install-completion", env={"SHELL": "/usr/bin/pwsh"})

    assert (0, scripts.text("powershell")) == (shown.code, shown.out)
    assert 2 == installed.code
    assert "Add this line to $PROFILE: krea --show-completion" in installed.err


@pytest.mark.parametrize("name", ["nu", "ksh", "elvish"])
def test_a_shell_without_a_script_is_named(krea, name):
    """
    As unsupported, with those that are.
    """
    shown = krea("--show-completion", name)
    installed = krea("--install-completion", env={"SHELL": f"/usr/bin/{name}"})

    for result in (shown, installed):
        assert (2, "") == (result.code, result.out)
        assert f"Completion is not supported for {name}." in result.err
        assert "Supported shells: bash, zsh, fish and PowerShell." in result.err


def test_the_script_for_bash_has_nothing_that_bash_3_2_lacks():
    """
    That is the bash of macOS; what it may lack is asked for with care.
    """
    lines = scripts.text("bash").splitlines()
    code = [line.strip() for line in lines if not line.startswith("#")]
    newer = r"mapfile|readarray|(declare|local) -[An]|\$\{\w+[,^@]|&>>|\|&|coproc"

    assert not [line for line in code if re.search(newer, line)]
    assert all(line.endswith("2>/dev/null") for line in code if "compopt" in line)
