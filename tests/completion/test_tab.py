"""
TAB, pressed by a person in a shell that has only what --install-completion wrote.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest
import terminals

NASTY = "n $(touch pwned) `touch pwned` ;'\"&|[1]*.png"
READY = "now type"
# What newer fish asks a terminal before anything else, and an answer.
IDENTIFIED = {"\x1b[0c": terminals.WITHOUT.decode()}
# What ends a line of the test: the shell keeps what is typed by then, and forgets it.
TAKE = "\x14"
STARTUP = {
    "bash": (
        ".bashrc",
        f"""
        take() {{ printf '%s\\0' "$READLINE_LINE" >>~/typed; READLINE_LINE=; }}
        bind 'set bell-style none'
        bind -x '"{TAKE}": take'
        PROMPT_COMMAND="printf '{READY}'" PS1=
        """,
    ),
    "zsh": (
        ".zshrc",
        f"""
        take() {{ print -rN -- "$BUFFER" >>~/typed; BUFFER=; }}
        zle -N take
        bindkey '{TAKE}' take
        PS1='{READY}'
        """,
    ),
    "fish": (
        ".config/fish/config.fish",
        f"""
        function take
            printf '%s\\0' (commandline | string collect) >>~/typed
            commandline ''
        end
        bind \\ct take
        function fish_prompt
            printf '{READY}'
        end
        """,
    ),
}
TYPED = {
    "krea gen\t": "krea generate ",
    "~/bin/krea gen\t": "~/bin/krea generate ",
    "krea generate x --neg\t": "krea generate x --negative-prompt ",
    "krea generate -- --neg\t": "krea generate -- --neg",
    'krea generate "it\'s" -m flux-1-d\t': 'krea generate "it\'s" -m flux-1-dev ',
    "krea generate -p asp\t16\t": "krea generate -p aspect_ratio=16:9 ",
    "krea config set color n\t": "krea config set color never ",
    "krea generate -i 'my d\t": "krea generate -i 'my dir/",
    "krea generate -i 'my dir/i\t": "krea generate -i 'my dir/in.png' ",
    "krea generate -i my\\ dir/\t": "krea generate -i my\\ dir/in.png ",
    "krea generate --output=my\t": "krea generate --output=my\\ dir/",
    "krea wait \t": "krea wait ",
}
# Each reads quotes in its own way; bash closes one after a folder, too.
ALONE = {
    "bash": {"krea generate -i 'my d\t": "krea generate -i 'my dir/'"},
    "zsh": {"krea replay $'it\\'s' --wai\t": "krea replay $'it\\'s' --wait "},
    "fish": {"krea replay 'it\\'s' --wai\t": "krea replay 'it\\'s' --wait "},
}
SEVERAL = "krea generate -m bfl/flux-1-\t"
LISTED = {
    "bash": "bfl/flux-1-dev          bfl/flux-1-kontext-dev",
    "zsh": "bfl/flux-1-dev          -- Flux.1 Dev",
    "fish": "Flux.1 Dev",
}


@pytest.fixture
def press(krea, name):
    """
    What becomes of lines that are typed; each TAB asks krea once, and no bell rings for
    a word that is finished.  At last it waits until several candidates are listed.
    """
    home = Path(krea.env["HOME"])
    program = home / "bin/krea"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho >>~/asked\nexec {sys.executable} -m krea_cli "$@"\n'
    )
    program.chmod(0o755)
    path, lines = STARTUP[name]
    (home / path).parent.mkdir(parents=True, exist_ok=True)
    (home / path).write_text(lines)
    # Otherwise fish begins to read all manual pages of the system.
    (home / ".local/share/fish/generated_completions").mkdir(parents=True)
    shell = shutil.which(name)
    assert krea("--install-completion", env={"SHELL": shell}).code == 0
    krea.env |= {"PATH": f"{program.parent}:{krea.env['PATH']}", "TERM": "xterm"}

    def press(lines):
        keys = "".join(f"{line}{TAKE}" for line in lines) + SEVERAL
        keys += "\t" * (name == "bash")
        replies = {READY: keys, LISTED[name]: f"{TAKE}exit\r", **IDENTIFIED}
        shown = terminals.run(
            [shell, "-i"],
            env=krea.env,
            replies={seen.encode(): typed.encode() for seen, typed in replies.items()},
            patience=50,
        )
        assert shown.code == 0
        assert b"\aerate" not in shown.output
        assert keys.count("\t") == len((home / "asked").read_text())
        return (home / "typed").read_text().split("\0")[:-2]

    return press


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                not shutil.which(name), reason=f"{name} is missing"
            ),
        )
        for name in STARTUP
    ],
)
def test_tab_does_what_a_person_expects(press, name):
    """
    It finishes the word in the way the shell writes it, in quotes of any kind, a folder
    and a path to krea included; what cannot be finished stays, and nothing of a file
    name is run.
    """
    Path("my dir").mkdir()
    Path("my dir/in.png").touch()
    Path(NASTY).touch()
    expected = TYPED | ALONE[name]

    *lines, nasty = press([*expected, "krea generate -i n\t"])

    assert [*expected.values()] == lines
    assert ["krea", "generate", "-i", NASTY] == shlex.split(nasty)
    assert {"my dir", NASTY} == {path.name for path in Path().iterdir()}
