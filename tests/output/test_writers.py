from __future__ import annotations

import json

import pytest
from output.telling import DONE, FAILED, CapturedConsole, Terminal

from krea_cli.errors import UsageError
from krea_cli.output.results.jobs import JobStatus
from krea_cli.output.results.settings import ConfigPath, Setting

ERROR = UsageError(
    "That is not a size.",
    hint="Did you mean: krea generate --help",
    job_id="j1",
    details=["width: is too small"],
)
RED = "31m"


def said(telling):
    telling.output.note("GET /jobs 200")
    telling.output.warn("It is deprecated.")
    telling.output.error(ERROR)
    assert "" == telling.out
    return telling.err


def test_a_log_has_plain_lines():
    """
    Notes as they are, warnings and errors with their label, the hint on its own line.
    """
    assert (
        "GET /jobs 200\n"
        "warning: It is deprecated.\n"
        "error: That is not a size.\n"
        "  width: is too small\n"
        "hint: Did you mean: krea generate --help\n"
    ) == said(CapturedConsole())


def test_quiet_leaves_warnings_and_errors():
    """
    What somebody should act on is said in every form.
    """
    assert (
        "warning: It is deprecated.\n"
        "error: That is not a size.\n"
        "  width: is too small\n"
        "hint: Did you mean: krea generate --help\n"
    ) == said(CapturedConsole(quiet=True, err=Terminal()))


def test_json_is_an_object_a_line():
    """
    Every key of an error is there; a warning is no error.
    """
    warning, error = map(json.loads, said(CapturedConsole(json=True)).splitlines())

    assert {"warning": {"message": "It is deprecated."}} == warning
    assert {
        "error": {
            "code": "usage",
            "message": "That is not a size.",
            "details": ["width: is too small"],
            "hint": "Did you mean: krea generate --help",
            "exit_code": 2,
            "job_id": "j1",
            "record": None,
        }
    } == error


def test_a_terminal_has_the_labels_in_colour():
    """
    The words themselves are not: a command in them is read and copied.
    """
    assert (
        "\x1b[2mGET /jobs 200\x1b[0m\n"
        "\x1b[33mwarning: \x1b[0mIt is deprecated.\n"
        "\x1b[1;31merror: \x1b[0mThat is not a size.\n"
        "  width: is too small\n"
        "\x1b[36mhint: \x1b[0mDid you mean: krea generate --help\n"
    ) == said(CapturedConsole(err=Terminal()))


def test_a_command_is_not_broken():
    """
    The terminal may wrap it; copied, it is whole.
    """
    command = "krea wait " + " ".join("0e37df36-f698-41e6" for _ in range(20))
    telling = CapturedConsole(err=Terminal(), color="never")

    telling.output.error(UsageError("No.", hint=f"{command}\nOr: {command}"))

    assert f"error: No.\nhint: {command}\nhint: Or:\n  {command}\n" == telling.err


def test_words_are_not_broken(monkeypatch):
    """
    On a terminal a line ends between them, and goes on below its beginning; a path is
    whole.  The lines of a log are as long as they are.
    """
    monkeypatch.setenv("COLUMNS", "24")
    terminal, log = (
        CapturedConsole(err=Terminal(), color="never"),
        CapturedConsole(color="always"),
    )
    path = "/a/folder/with-a-long-name/owl.png"
    error = UsageError("There is no such file.", details=[f"not {path} at all"])

    terminal.output.error(error)
    log.output.error(error)

    assert (
        f"error: There is no such\n       file.\n  not\n    {path}\n    at all\n"
    ) == terminal.err
    assert "There is no such file.\n" in log.err


@pytest.mark.parametrize("file", [None, Terminal()], ids=["log", "terminal"])
def test_foreign_words_do_not_begin_a_line(file):
    """
    A message with line breaks is one line, and each line of a hint has its label, so
    that no CI obeys what a service says; the blanks of a path stay.
    """
    telling = CapturedConsole(err=file, color="never")

    telling.output.warn("a\n::add-mask::b")
    telling.output.note("a\n##[error]b")
    telling.output.error(UsageError("a\n::error::b", hint="'my  file'\n::c"))

    assert (
        "warning: a ::add-mask::b\n"
        "a ##[error]b\n"
        "error: a ::error::b\n"
        "hint: 'my  file'\n"
        "hint: ::c\n"
    ) == telling.err


MARKUP = "[/] [bold]x[/bold] [link=https://evil.example]y[/link] :smile: \x1b]8;;z\x07"
SHOWN = MARKUP.replace("\x1b", r"\x1b").replace("\x07", r"\x07")


def test_foreign_words_are_no_markup():
    """
    What rich would obey is printed as it is, and makes no link.
    """
    telling = CapturedConsole(out=Terminal(), err=Terminal(), color="never")
    job = DONE.__class__(
        job_id="j",
        status="failed",
        error=FAILED.error.__class__(code="", message=MARKUP),
    )

    telling.output.warn(MARKUP)
    telling.output.error(UsageError(MARKUP))
    telling.output.result([ConfigPath(MARKUP, exists=True)])
    telling.output.result([Setting("[b]key[/b]", None, "x")])
    telling.output.result([JobStatus(job)])

    assert f"warning: {SHOWN}\nerror: {SHOWN}\n" == telling.err
    assert telling.out.startswith(f"{SHOWN}\n")
    assert "[b]key[/b]" in telling.out
    assert telling.out.endswith(f"j: {SHOWN}\n")


def test_foreign_words_are_no_markup_in_the_spinner():
    """
    A status is quoted, too.
    """
    telling = CapturedConsole(err=Terminal(), color="never")
    with telling.output.progress() as progress:
        progress.seen(DONE.__class__(job_id="j", status="[/] [bold]x :smile: \x07"))

    assert r"[/] [bold]x :smile: \x07" in telling.err
    assert "\x07" not in telling.err


# With what environment and --color: has the error colour, the table, and is there a
# spinner?
DECISIONS = [
    ({}, "auto", True, True, True),
    ({"NO_COLOR": "1"}, "auto", False, False, True),
    ({"NO_COLOR": ""}, "auto", True, True, True),
    ({"NO_COLOR": "1"}, "always", True, True, True),
    ({}, "never", False, False, True),
    ({"CI": "true"}, "auto", False, True, False),
    ({"CI": "true"}, "always", True, True, False),
    ({"CI": "true", "FORCE_COLOR": "1"}, "auto", True, True, False),
    ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", False, False, True),
    ({"FORCE_COLOR": "1"}, "never", False, False, True),
    ({"TERM": "dumb"}, "auto", False, False, False),
    ({"TERM": "dumb"}, "always", True, True, False),
]


@pytest.mark.parametrize(("env", "color", "talks", "shows", "turns"), DECISIONS)
def test_colour_and_animation_are_two_decisions(
    monkeypatch, env, color, talks, shows, turns
):
    """
    NO_COLOR and then FORCE_COLOR count when they are not empty, --color wins over
    both; in CI and on a dumb terminal nothing moves the cursor, whatever is forced.
    """
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    telling = CapturedConsole(out=Terminal(), err=Terminal(), env=env, color=color)

    telling.output.error(ERROR)
    telling.output.result([JobStatus(FAILED)])
    has_colour = RED in telling.err, RED in telling.out
    with telling.output.progress() as progress:
        progress.seen(DONE)

    assert (talks, shows) == has_colour
    assert turns == ("\x1b[2K" in telling.err)
    assert turns == ("\x1b[?25l" in telling.err)


def test_colour_can_be_forced_into_a_log():
    """
    --color always colours standard error of a pipe; nothing moves there.
    """
    telling = CapturedConsole(color="always")

    telling.output.error(ERROR)
    with telling.output.progress() as progress:
        progress.seen(DONE)

    assert "\x1b[1;31merror: \x1b[0m" in telling.err
    assert telling.err.endswith(f"{DONE.job_id} completed (0 s)\n")


@pytest.mark.parametrize(
    ("columns", "header"),
    [
        (100, "JOB STATUS MODEL CREATED"),
        (80, "JOB STATUS MODEL"),
        (60, "JOB STATUS"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns(monkeypatch, columns, header):
    """
    What has no room is left out; the job id is never cut or folded.
    """
    monkeypatch.setenv("COLUMNS", str(columns))
    telling = CapturedConsole(out=Terminal(), color="never")

    telling.output.result([JobStatus(DONE)])

    assert header == " ".join(telling.out.splitlines()[0].split())
    assert DONE.job_id in telling.out


def test_a_terminal_of_one_column_is_no_bug(monkeypatch):
    """
    What must be whole runs over.
    """
    monkeypatch.setenv("COLUMNS", "1")
    telling = CapturedConsole(out=Terminal(), err=Terminal(), color="never")

    telling.output.result([JobStatus(DONE)])
    with telling.output.progress() as progress:
        progress.seen(DONE)

    assert telling.out.startswith(f"{DONE.job_id}\n  completed\n")


def test_the_token_is_hidden_in_every_form():
    """
    On both streams, drawn by rich or not, in the spinner, too.
    """
    token = "canary-T0ken:9d8c"
    for flags in ({"out": Terminal(), "err": Terminal()}, {}, {"json": True}):
        telling = CapturedConsole(**flags)
        telling.output.hide(token)

        telling.output.note(token)
        telling.output.error(UsageError(f"bad {token}", hint=token))
        telling.output.result([ConfigPath(f"/{token}", exists=True)])
        with telling.output.progress() as progress:
            progress.seen(DONE.__class__(job_id="j", status=token))

        assert token not in telling.out + telling.err
        assert "/***" in telling.out
        assert "bad ***" in telling.err
