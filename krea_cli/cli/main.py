"""
Entry point: run the app; turn what went wrong into a message and an exit code.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from typing import TextIO, cast

from krea_cli.cli.command_tree import COMMANDS, as_typer_has_it, build
from krea_cli.cli.context import CliContext
from krea_cli.cli.signal_exit import exit_by_signal
from krea_cli.cli.world import Flags
from krea_cli.errors import BugError, ExitCode, KreaError, UsageError
from krea_cli.output.escape import escape_control_chars
from krea_cli.runtime import shell_words, signals
from krea_cli.runtime.signals import Interrupted

# What a shell adds to the number of the signal that ended a program.
SIGNALLED = 128
_STRANGE = re.compile("No such command '([a-z]+)'\\.")


def run() -> None:
    """
    The console script: it ends with the exit code of `main`, or after a signal by that
    signal, for which a shell shows the same number.
    """
    signals.catch()
    code = main()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            # What a signal cut short may be held back.
            with suppress(OSError, ValueError):
                stream.flush()
    if code > SIGNALLED:
        exit_by_signal(code - SIGNALLED)
    # Nothing is left to be done, and to undo what was loaded takes time.
    os._exit(code)


def main(argv: Sequence[str] | None = None, session: CliContext | None = None) -> int:
    """
    Run one command line; its exit code.
    """
    argv = sys.argv[1:] if argv is None else argv
    session = session or CliContext()
    try:
        try:
            return _run(argv, session)
        except KreaError as exc:
            return _report(exc, session)
        except Exception as exc:  # noqa: BLE001  (a bug is told, too)
            return _tell_unexpected(exc, session)
    except Interrupted as exc:
        signals.ignore()
        for stream in (session.out.stdout, session.out.stderr):
            stream.leave()
        from krea_cli.cli.error_report import report_interruption

        return report_interruption(exc.signum, session)
    finally:
        signals.ignore()
        session.close()


def _run(argv: Sequence[str], session: CliContext) -> int:
    try:
        argv = as_typer_has_it(argv)
        app = build(argv)
        # Typer prints the help itself.
        with redirect_stdout(cast("TextIO", session.out.stdout)):
            code = app(argv, prog_name="krea", obj=session, standalone_mode=False)
        return int(code or 0)
    except Exception as exc:
        usage = _usage_error(exc, argv)
        if usage is None:
            raise
        # The command line was not understood, so its own words say how to answer.
        is_json = any(word.partition("=")[0] == "--json" for word in argv)
        session.configure(Flags(json=is_json))
        if "--github" in argv and session.env.get("GITHUB_OUTPUT"):
            session.annotate()
        raise usage from exc


def _usage_error(exc: Exception, argv: Sequence[str]) -> UsageError | None:
    """
    Typer's own error as ours.  Typer keeps the class private; what it documents of it
    is `format_message`.
    """
    say = getattr(exc, "format_message", None)
    if say is None or isinstance(exc, KreaError):
        return None
    from krea_cli.cli.completion import grammar

    context = getattr(exc, "ctx", None)
    # An option without its value, or with one too many, comes without a context.
    called = " ".join(("krea", *grammar.find(argv)[0].words))
    hint = f"Run: {context.command_path if context else called} --help"
    if _is_option_of_later(argv):
        hint = f"Options stand behind the command. {hint}"
    message = " ".join(say().split())
    first = next((word for word in argv if not word.startswith("-")), "")
    if called == "krea auth login" and "argument" in message:
        # The token, most likely: it is not repeated (hazard C9).
        return UsageError(
            "krea auth login takes no token on the command line, where others see it.",
            hint="Give it on standard input: krea auth login < FILE",
        )
    strange = _STRANGE.fullmatch(message)
    if strange and (found := grammar.named(strange[1])):
        hint = "\n".join(f"There is: krea {words}" for words in found)
    elif " " in first:  # as in no command, but in a prompt
        hint = f"Run: {shell_words.join(['krea', 'generate', first])}"
    elif called == "krea generate" and message.startswith("Got unexpected extra arg"):
        hint = 'A prompt of several words stands in quotes: krea generate "an owl"'
    return UsageError(message, hint=hint)


def _is_option_of_later(argv: Sequence[str]) -> bool:
    """
    Whether the line begins with an option of the command that comes after it.
    """
    from krea_cli.cli.completion import grammar

    at = next((at for at, word in enumerate(argv) if word in COMMANDS), 0)
    command, _ = grammar.find(argv[at:])
    return at > 0 and command.option(argv[0].partition("=")[0]) is not None


def _report(error: KreaError, session: CliContext) -> ExitCode:
    from krea_cli.cli.error_report import report

    return report(error, session)


def _tell_unexpected(exc: Exception, session: CliContext) -> ExitCode:
    """
    A limit of this machine that was reached, or a bug.
    """

    from krea_cli.runtime.exhaustion import exhausted

    if limit := exhausted(exc):
        return _report(limit, session)
    hint = "Report it, with what --verbose shows."
    error = BugError("This is a bug in krea", exc, hint=hint)
    if session.flags.verbose:
        from traceback import format_exception

        session.out.stderr.write(escape_control_chars("".join(format_exception(exc))))
    return _report(error, session)
