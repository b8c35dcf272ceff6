from __future__ import annotations

import io
import signal

import pytest
from conftest import Terminal, Typed

from krea_cli.cli.prompter import Prompter
from krea_cli.errors import ExitCode, UsageError
from krea_cli.output.streams import Stream
from krea_cli.runtime.signals import Interrupted


class Console:
    def __init__(self, stderr):
        self.stderr = Stream(stderr, "Standard error")
        self.questions = []

    def ask(self, question):
        self.questions.append(question)


def prompter(typed="", *, stdin=None, stderr=None, env=None, **options):
    """
    One for a person at a terminal who types this.
    """
    console = Console(stderr or Terminal())
    made = Prompter(stdin or Typed(typed), console, env or {}, **options)
    return made, console


def test_is_interactive_with_a_person_at_a_terminal():
    assert prompter()[0].is_interactive


@pytest.mark.parametrize(
    "options",
    [
        {"is_scripted": True},
        {"env": {"CI": "true"}},
        {"stderr": io.StringIO()},
        {"stdin": io.StringIO()},
    ],
    ids=["scripted", "ci", "errors to a file", "input from a pipe"],
)
def test_is_interactive_without_a_person_is_false(options):
    assert not prompter(**options)[0].is_interactive


def test_is_interactive_with_an_empty_ci_variable():
    assert prompter(env={"CI": ""})[0].is_interactive


def test_claim_stdin_twice_names_both_purposes():
    asked, _ = prompter("an owl")

    assert "an owl" == asked.claim_stdin("the prompt").read()
    with pytest.raises(UsageError) as refused:
        asked.claim_stdin("an input")

    assert "the prompt" in refused.value.message
    assert "an input" in refused.value.message


def test_stdin_that_is_closed_is_a_usage_error(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    asked = Prompter(None, Console(Terminal()), {})

    with pytest.raises(UsageError) as refused:
        asked.claim_stdin("the prompt")

    assert ExitCode.USAGE == refused.value.exit_code


def test_stdin_of_the_process_is_the_default(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("an owl"))

    assert "an owl" == Prompter(None, Console(Terminal()), {}).stdin.read()


def test_ask_returns_the_answer_without_spaces():
    asked, console = prompter("  yes \nno\n")

    answers = [asked.ask("Really?"), asked.ask("Sure?"), asked.ask("Again?")]

    assert ["yes", "no", ""] == answers
    assert ["Really?", "Sure?", "Again?"] == console.questions


def test_ask_interrupted_ends_the_line_of_the_question():
    stderr = Terminal()
    asked, _ = prompter("\x03", stderr=stderr)

    with pytest.raises(Interrupted) as ended:
        asked.ask("Really?")

    assert (signal.SIGINT, "\n") == (ended.value.signum, stderr.getvalue())


def test_ask_secret_is_typed_at_the_error_stream(monkeypatch):
    stderr, calls = Terminal(), []
    monkeypatch.setattr("getpass.getpass", lambda *call: calls.append(call) or "krea-x")
    asked, _ = prompter(stderr=stderr)

    assert "krea-x" == asked.ask_secret("Token: ")
    assert [("Token: ", stderr)] == calls


def test_ask_secret_at_the_end_of_the_input_is_empty(monkeypatch):
    def getpass(*_):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", getpass)

    assert "" == prompter()[0].ask_secret("Token: ")


def test_ask_secret_interrupted_ends_its_line(monkeypatch):
    def getpass(*_):
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr("getpass.getpass", getpass)
    stderr = Terminal()

    with pytest.raises(Interrupted):
        prompter(stderr=stderr)[0].ask_secret("Token: ")

    assert "\n" == stderr.getvalue()
