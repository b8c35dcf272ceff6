"""
What krea does on Windows alone, or otherwise there; `test_windows.py` runs them.
"""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path

import pytest

from krea_cli.config import token_command
from krea_cli.errors import TargetError
from krea_cli.files import atomic_file, windows_paths
from krea_cli.files.atomic_file import AtomicFile
from krea_cli.files.windows_paths import check_windows_path
from krea_cli.output import streams
from krea_cli.runtime import processes, shell_words
from krea_cli.runtime.clock import run_with_timeout

NAME = "梟 ł.png"


class Console(io.StringIO):
    def isatty(self):
        return True

    def fileno(self):
        return 1

    def reconfigure(self, **_):
        raise AssertionError("a console takes every character")


def test_a_pipe_gets_utf_8_whatever_the_code_page(monkeypatch):
    """
    Otherwise a script would read `\\u689f` for a letter of a path.
    """
    file = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", file)
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)

    streams.standard()[0].write_line(NAME)

    assert f"{NAME}\n".encode() == file.buffer.getvalue().replace(b"\r\n", b"\n")


def test_an_encoding_that_the_user_chose_stays(monkeypatch):
    """
    What it lacks is escaped.
    """
    file = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", file)
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")

    streams.standard()[0].write(NAME)

    assert b"\\u689f \\u0142.png" == file.buffer.getvalue()


def test_a_console_is_made_to_act_on_escape_codes(monkeypatch):
    """
    The older ones show them as letters by default.
    """
    console = Console()
    console.reconfigure = lambda **_: None
    monkeypatch.setattr(sys, "stdout", console)
    kernel32 = processes.__builtins__["__import__"]("ctypes").WinDLL
    monkeypatch.setattr(kernel32, "console_mode", 3)

    out, _ = streams.standard()

    assert 3 | 4 == kernel32.console_mode
    assert 1 == out.fileno()


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("x" * 300 + ".png", "longer than 259 characters"),
        ("{job_id}-" + "x" * 200 + ".png", "longer than 259 characters"),
        ("owl:2.png", "':'"),
        ("nul.png", "is a device"),
    ],
)
def test_a_path_that_cannot_be_is_found_before_anything_is_sent(
    logged_in, service, output, says
):
    """
    Exit 7, and no job.
    """
    result = logged_in("generate", "an owl", "-o", output)

    assert 7 == result.code
    assert says in result.err
    assert 0 == service.bills


@pytest.mark.parametrize("name", ["owl.", "owl ", "a./owl.png", "COM1", "what?"])
def test_a_name_that_windows_changes_or_lacks_is_refused(name):
    """
    It would be written under another name, or nowhere.
    """
    with pytest.raises(TargetError):
        check_windows_path(Path(name))


@pytest.mark.parametrize("name", ["../owl.png", "./a/..", "com.png", "console.txt"])
def test_an_ordinary_name_is_taken(name):
    check_windows_path(Path(name))


def test_a_long_path_is_allowed_where_the_computer_allows_it(monkeypatch, tmp_path):
    """
    Then only the system's own limits hold.
    """
    target = tmp_path / "x" / ("y" * 250)
    with pytest.raises(TargetError):
        check_windows_path(target)

    monkeypatch.setattr(windows_paths, "has_long_paths", lambda: True)

    check_windows_path(target)


def test_a_file_that_is_open_for_a_moment_is_replaced(tmp_path, monkeypatch):
    """
    By a virus scanner, say.
    """
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    reader = target.open("rb")
    monkeypatch.setattr(atomic_file.time, "sleep", lambda _: reader.close())

    with AtomicFile(tmp_path) as new:
        new.write(b"new")
        new.publish(target, force=True)

    assert b"new" == target.read_bytes()


def test_a_process_is_known_by_its_start():
    """
    It is asked for without a signal, which would end it.
    """
    assert processes.is_running(2**22 + 1) is False
    assert processes.is_running(2**40) is None
    assert processes.started(2**22 + 1) == ""


def test_waiting_for_a_request_is_done_in_short_steps(monkeypatch):
    """
    Before Python 3.14 Ctrl-C does not end a longer one.
    """
    waited = []
    join = threading.Thread.join

    def joined(thread, timeout=None):
        waited.append(timeout)
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", joined)
    release = threading.Event()
    threading.Timer(0.1, release.set).start()

    assert run_with_timeout(5, release.wait)
    assert waited
    assert max(waited) <= 0.05


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("owl.png", "owl.png"),
        (r"C:\Users\me\owl.png", r"C:\Users\me\owl.png"),
        ("an owl", '"an owl"'),
        ("@last", '"@last"'),
        ("C:\\my pictures\\", '"C:\\my pictures\\\\"'),
        ("it's $5", "'it''s $5'"),
        ('say "hi"', "'say \"hi\"'"),
        ("", '""'),
    ],
)
def test_words_of_hints_are_quoted_for_the_shells_of_windows(word, quoted):
    """
    For PowerShell and cmd alike, as far as both can be served.
    """
    assert quoted == shell_words.quote(word)
    assert 'mkdir "a b"' == shell_words.make_folder("a b")


def test_a_token_command_keeps_its_backslashes():
    """
    They are parts of paths.
    """
    words = token_command._words(r'"C:\Program Files\pass.exe" show krea\main')

    assert [r"C:\Program Files\pass.exe", "show", r"krea\main"] == words
