from __future__ import annotations

import re
import sys

import pytest
import terminals
from output.telling import Terminal

from krea_cli.output.graphics.capabilities import Protocol, query_terminal
from krea_cli.output.streams import Stream


@pytest.mark.posix
@pytest.mark.parametrize(
    ("variables", "protocol"),
    [
        ({}, None),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, None),
        ({"TERM": "xterm-kitty"}, Protocol.KITTY),
        ({"TERM": "xterm-ghostty"}, Protocol.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, Protocol.KITTY),
        ({"TERM_PROGRAM": "iTerm.app"}, Protocol.ITERM2),
        ({"TERM_PROGRAM": "WezTerm"}, Protocol.ITERM2),
        # Over SSH.
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, Protocol.ITERM2),
        # Started from there, but another terminal by now.
        ({"TERM_PROGRAM": "Apple_Terminal", "LC_TERMINAL": "iTerm2"}, None),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "tmux-256color", "LC_TERMINAL": "iTerm2"}, None),
        ({"TERM": "screen.xterm-256color", "TERM_PROGRAM": "iTerm.app"}, None),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, None),
        ({"TERM": "xterm-kitty", "STY": "1.pts-0.host"}, None),
        ({"TERM": "xterm-kitty", "ZELLIJ": "0"}, None),
    ],
)
def test_the_environment_names_the_terminal(variables, protocol):
    """
    What is around tmux and the like cannot be reached, and is not believed.
    """
    assert (
        protocol
        == query_terminal(Stream(Terminal(), "Standard output"), variables).protocol
    )


def test_a_pipe_is_no_terminal(tmp_path):
    """
    It has a usual size, and is not asked anything.
    """
    with (tmp_path / "out").open("w+") as file:
        window = query_terminal(Stream(file, "Standard output"), {})
        written = file.seek(0, 2)

    assert (0, None, (10, 20)) == (written, window.protocol, window.cell)


LOOK = """
import os, sys
from krea_cli.output.graphics.capabilities import query_terminal
from krea_cli.output.streams import Stream
print(query_terminal(Stream(sys.stdout, ""), os.environ))
"""


def looked(env, *, code=LOOK, **terminal):
    return terminals.run([sys.executable, "-c", code], env=env, **terminal)


@pytest.mark.posix
@pytest.mark.parametrize(
    ("answer", "cell", "told"),
    [
        (terminals.WITH_SIXEL, (8, 16), b"cell=(8, 16), protocol=<Protocol.SIXEL"),
        (
            b"\x1b[6;17;8t" + terminals.WITH_SIXEL,
            (0, 0),
            b"cell=(8, 17), protocol=<Protocol.SIXEL",
        ),
        (terminals.WITHOUT, (0, 0), b"cell=(10, 20), protocol=None"),
        # 40 and 14 are not 4.
        (b"\x1b[?64;40;14c", (0, 0), b"cell=(10, 20), protocol=None"),
        (b"\x1b[6;0;0t" + terminals.WITH_SIXEL, (0, 0), b"cell=(10, 20), "),
    ],
)
def test_a_terminal_is_asked_what_it_is(env, answer, cell, told):
    """
    Sixel is a part of the answer; the size of a cell is asked where the system does not
    know it.
    """
    shown = looked(env, answer=answer, cell=cell, size=(90, 33))

    assert b"columns=90, rows=33, " + told in shown.output
    assert 1 == shown.output.count(terminals.QUESTION)


def test_what_was_typed_ahead_stays(env):
    """
    Nothing is asked then, and whoever reads next gets all of it.
    """
    read = f"{LOOK}\nprint([input(), input()])"

    shown = looked(env, code=read, typed=b"ls -l\nmore\n", answer=terminals.WITH_SIXEL)

    assert terminals.QUESTION not in shown.output
    assert b"protocol=None" in shown.output
    assert b"['ls -l', 'more']" in shown.output


@pytest.mark.long
def test_a_silent_terminal_is_given_up(env):
    """
    After a second, and it is as it was before.
    """
    shown = looked(env, answer=b"")
    termios = pytest.importorskip("termios")
    echoing = termios.ICANON | termios.ECHO

    assert b"protocol=None" in shown.output
    assert 1 <= shown.seconds < 5
    assert echoing == shown.settings[3] & echoing


@pytest.mark.parametrize(
    "before",
    [
        "import tty; tty.setcbreak(0)",
        "os.fork() and (os.wait(), os._exit(0)); os.setpgid(0, 0)",
    ],
    ids=["somebody reads key by key", "in the background"],
)
def test_who_may_not_ask_does_not(env, before):
    """
    The terminal is somebody else's just then.
    """
    shown = looked(env, code=f"import os; {before}\n{LOOK}")

    assert terminals.QUESTION not in shown.output
    assert b"protocol=None" in shown.output


def test_in_ci_nothing_is_asked(env):
    """
    There is nobody who would answer.
    """
    shown = looked(env | {"CI": "true"}, answer=terminals.WITH_SIXEL)

    assert terminals.QUESTION not in shown.output
    assert b"protocol=None" in shown.output


QUERY = """
import os, select, sys, termios, time, tty
from krea_cli.output.graphics.capabilities import TerminalQuery
from krea_cli.output.streams import Stream
query = TerminalQuery(Stream(sys.stdout, ""), os.environ)
query.start()
time.sleep({pause})
began = time.monotonic()
found = query.size()
query.close()
print(f"protocol={{found.protocol}} waited={{time.monotonic() - began:.3f}}")
print("canonical", bool(termios.tcgetattr(0)[3] & termios.ICANON))
# What is left is not flushed.
tty.setcbreak(0, termios.TCSANOW)
print("left", os.read(0, 99) if select.select([0], [], [], 0)[0] else b"")
"""


def asked(env, *, pause, **terminal):
    """
    Ask a terminal while a job runs that takes `pause` seconds.
    """
    shown = looked(env, code=QUERY.format(pause=pause), **terminal)
    waited = float(re.search(rb"waited=([0-9.]+)", shown.output)[1])
    return shown, waited


@pytest.mark.posix
@pytest.mark.parametrize("answer", [b"", b"\x1b[?6"], ids=["silent", "half an answer"])
def test_query_of_a_terminal_without_an_answer_does_not_wait_at_the_end(env, answer):
    shown, waited = asked(env, pause=0.1, answer=answer)

    assert b"protocol=None" in shown.output
    assert waited < 0.5
    assert shown.output.endswith(b"left b''\r\n")


@pytest.mark.posix
def test_query_answered_while_the_job_runs_is_known_at_the_end(env):
    shown, waited = asked(env, pause=0.3, answer=terminals.WITH_SIXEL, late=0.1)

    assert b"protocol=Protocol.SIXEL" in shown.output
    assert waited < 0.5


@pytest.mark.long
@pytest.mark.posix
def test_query_answered_too_late_leaves_nothing_for_the_shell(env):
    shown, waited = asked(env, pause=1.8, answer=terminals.WITH_SIXEL, late=1.3)

    assert b"protocol=None" in shown.output
    assert waited < 0.5
    assert shown.output.endswith(b"left b''\r\n")
    assert b"canonical True" in shown.output


@pytest.mark.posix
def test_query_leaves_what_is_typed_after_it(env):
    """
    All but the byte that tells typing from an answer.
    """
    shown, _ = asked(env, pause=0.3, answer=b"ls -l\n")

    assert b"left b's -l\\n'" in shown.output
