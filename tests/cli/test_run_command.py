from __future__ import annotations

import errno
import io
import signal

import pytest
from conftest import Pipe, Terminal, Typed

from krea_cli.cli.invocation import Flags, Invocation
from krea_cli.cli.prompter import Prompter
from krea_cli.cli.run_command import run_command
from krea_cli.errors import BalanceError, ExitCode, UsageError
from krea_cli.output.console import build_console
from krea_cli.output.streams import Stream
from krea_cli.runtime import signals
from krea_cli.runtime.signals import Interrupted


class Run:
    """
    Runs functions as commands; `err` is what standard error has of the last one.
    """

    def __init__(self, time):
        self.closed = []
        self._time = time

    def __call__(self, command, **flags):
        streams = Stream(Pipe(), "out"), Stream(Pipe(), "err")
        invocation = Invocation(
            env={}, streams=streams, clock=self._time.clock, flags=Flags(**flags)
        )

        def run(context):
            context.exit_stack.callback(self.closed.append, "closed")
            return command(context)

        code = run_command(invocation, run)
        self.err = streams[1].file.getvalue()
        return code


@pytest.fixture
def run(time):
    return Run(time)


def failing(error):
    def command(_context):
        raise error

    return command


def test_run_command_returns_the_code_of_the_command(run):
    assert 7 == run(lambda context: 7)
    assert ("", ["closed"]) == (run.err, run.closed)


def test_run_command_reports_an_error_and_closes_everything(run):
    assert ExitCode.BALANCE == run(failing(BalanceError("No money.")))
    assert ("error: No money.\n", ["closed"]) == (run.err, run.closed)


def test_run_command_checks_the_flags_before_anything_is_done(run):
    assert ExitCode.USAGE == run(pytest.fail, sandbox=True, api_url="https://a.b")
    assert "Use either --sandbox or --api-url" in run.err
    assert [] == run.closed


@pytest.mark.parametrize("is_verbose", [True, False])
def test_run_command_reports_a_bug_with_its_place(run, is_verbose):
    """
    What it says cannot change the terminal.
    """
    code = run(failing(ValueError("a\x1b[31m b")), verbose=is_verbose)

    assert ExitCode.BUG == code
    assert "Bug in krea: ValueError: a" in run.err
    assert "(test_run_command.py, line" in run.err
    assert is_verbose == ("Traceback" in run.err)
    assert "\x1b" not in run.err
    assert ["closed"] == run.closed


def test_run_command_after_a_paid_job_reports_it_with_a_bug(run):
    def command(context):
        context.tracker.submitted("j1")
        raise ValueError

    assert ExitCode.BUG == run(command)
    assert "Job j1 keeps running." in run.err
    assert "krea wait j1" in run.err


def test_run_command_names_a_limit_of_the_machine_that_was_reached(run):
    code = run(failing(OSError(errno.EMFILE, "Too many open files")))

    assert ExitCode.SERVICE == code
    assert "(ulimit -n)" in run.err
    assert "bug" not in run.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["first", "submitted", "saved", "reported"])
def test_run_command_interrupted_tells_what_is_open(run, number, moment):
    """
    Each paid job is told of once, wherever the signal comes.
    """

    def command(context):
        if moment != "first":
            context.tracker.submitted("j1")
        if moment in ("saved", "reported"):
            context.tracker.saved("j1")
        if moment == "reported":
            context.tracker.reported()
        raise Interrupted(number)

    assert 128 + number == run(command)
    assert ("SIGTERM" in run.err) == (number == signal.SIGTERM)
    assert (moment == "submitted") == ("Job j1 keeps running." in run.err)
    assert (moment == "submitted") == ("krea cancel j1" in run.err)
    assert (moment == "saved") == ("Job j1 is saved." in run.err)
    assert (moment in ("submitted", "saved")) == ("krea wait j1" in run.err)
    assert ["closed"] == run.closed


def test_run_command_interrupted_while_an_error_is_reported(run):
    """
    The signal is the end.
    """

    def interrupt():
        raise Interrupted(signal.SIGINT)

    def command(context):
        context.tracker.summary = interrupt
        raise BalanceError("No money.")

    # The report of the signal needs the same summary here.
    with pytest.raises(Interrupted):
        run(command)
    assert ["closed"] == run.closed


def test_run_command_leaves_signals_alone_at_its_end(run, monkeypatch):
    """
    Nothing may cut the end short.
    """
    calls = []
    monkeypatch.setattr(signals, "ignore", lambda: calls.append("ignored"))

    run(lambda context: context.exit_stack.callback(calls.append, "closing") and 0)
    assert ["ignored", "closing"] == calls

    calls.clear()
    run(failing(Interrupted(signal.SIGINT)))
    assert ["ignored", "ignored"] == calls


def test_run_command_after_a_signal_writes_no_more_results(run, monkeypatch):
    """
    Nobody may read the pipe any more.
    """
    left = []

    def leave(stream):
        left.append(stream)

    monkeypatch.setattr(Stream, "leave", leave)

    run(failing(Interrupted(signal.SIGTERM)))

    assert 2 == len(left)


@pytest.fixture
def arrived(monkeypatch):
    """
    A signal that Python lost, as it may in a callback.
    """
    monkeypatch.setattr(signals._State, "signum", signal.SIGINT)


def test_defer_signals_begins_nothing_after_a_signal(arrived):
    with pytest.raises(Interrupted), signals.defer_signals():
        pytest.fail("a paid request was sent")


def test_defer_signals_raises_at_the_end_what_came_meanwhile(monkeypatch):
    done = []

    def work():
        with signals.defer_signals():
            monkeypatch.setattr(signals._State, "signum", signal.SIGINT)
            assert signals.is_held()
            done.append("recorded")

    with pytest.raises(Interrupted):
        work()
    assert (["recorded"], False) == (done, signals.is_held())


def prompter(time, typed, *, env=None, is_terminal=True, **options):
    """
    The prompter and standard error.
    """
    err = Terminal() if is_terminal else Pipe()
    console = build_console(
        (Stream(Terminal(), "out"), Stream(err, "err")), {}, time.clock.now
    )
    stdin = Typed(typed) if isinstance(typed, str) else typed
    return Prompter(stdin, console, env or {}, **options), err


def test_prompter_answer_is_without_its_end_of_line(time):
    asking, err = prompter(time, " yes \nno\n")

    assert ["yes", "no", ""] == [asking.ask("Sure? ") for _ in range(3)]
    assert 3 == err.getvalue().count("Sure? ")


def test_prompter_interrupted_answer_ends_the_line(time):
    asking, err = prompter(time, "\x03")

    with pytest.raises(Interrupted):
        asking.ask("Sure? ")
    assert err.getvalue().endswith("Sure? \n")


@pytest.mark.parametrize(
    ("options", "is_interactive"),
    [
        ({}, True),
        ({"env": {"CI": "true"}}, False),
        ({"is_scripted": True}, False),
        ({"is_terminal": False}, False),
    ],
)
def test_prompter_asks_only_a_person_at_a_terminal(time, options, is_interactive):
    assert is_interactive == prompter(time, "", **options)[0].is_interactive


def test_prompter_asks_no_pipe(time):
    assert not prompter(time, io.StringIO("yes\n"))[0].is_interactive


def test_prompter_gives_standard_input_away_once(time):
    asking, _ = prompter(time, "an owl")

    assert "an owl" == asking.claim_stdin("the prompt").read()
    with pytest.raises(UsageError, match="both the prompt and an image"):
        asking.claim_stdin("an image")


def test_prompter_standard_input_may_be_closed(time, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)

    with pytest.raises(UsageError, match="Standard input is closed"):
        prompter(time, None)[0].claim_stdin("the prompt")


def test_prompter_secret_is_not_shown(time, monkeypatch):
    asking, err = prompter(time, "")
    asked = []

    def getpass(prompt, stream):
        asked.append((prompt, stream))
        return " secret \n"

    monkeypatch.setattr("getpass.getpass", getpass)
    assert " secret \n" == asking.ask_secret("Token: ")
    assert [("Token: ", err)] == asked


def test_prompter_secret_at_the_end_of_input_is_empty(time, monkeypatch):
    def getpass(*_):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", getpass)
    assert "" == prompter(time, "")[0].ask_secret("Token: ")
