"""
Entry point: run one command line.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO, cast

from krea_cli.cli.command_tree import COMMANDS, as_typer_has_it, build
from krea_cli.cli.invocation import Flags, Invocation, RunOptions
from krea_cli.cli.run_command import run_command
from krea_cli.cli.signal_exit import exit_by_signal
from krea_cli.errors import KreaError, UsageError
from krea_cli.runtime import shell_words, signals

# What a shell adds to the number of the signal that ended a program.
SIGNALLED = 128
# The hint about forgotten options shows so many of them.
MOST_FILES = 3
_EXTRA = re.compile(r"extra argument(?:s|\(s\))? \((.*)\)\.?$")
_STRANGE = re.compile("No such command '([a-z]+)'\\.")


def run() -> None:
    """
    Run as the console script. The process ends with the exit code of `main`, or after a
    signal by that signal, for which a shell shows the same number.
    """
    signals.catch()
    code = main()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            # A signal may have left something in the buffer.
            with suppress(OSError, ValueError):
                stream.flush()
    if code > SIGNALLED:
        exit_by_signal(code - SIGNALLED)
    # Everything is done. Unloading all modules would only take time.
    os._exit(code)


def main(
    argv: Sequence[str] | None = None, invocation: Invocation | None = None
) -> int:
    """
    Run one command line, and return its exit code.
    """
    argv = sys.argv[1:] if argv is None else argv
    invocation = invocation or Invocation()
    # A command reports its own errors. This is about what happens before it: a command
    # line that Typer does not understand, whose words say how to answer.
    is_json = any(word.partition("=")[0] == "--json" for word in argv)
    outer = replace(
        invocation,
        flags=Flags(json=is_json),
        run=RunOptions(github="--github" in argv),
    )
    given = replace(invocation, argv=tuple(argv))
    return run_command(outer, lambda _: _call_typer(argv, given))


def _call_typer(argv: Sequence[str], invocation: Invocation) -> int:
    try:
        argv = as_typer_has_it(argv)
        app = build(argv)
        # Typer prints the help itself.
        with redirect_stdout(cast("TextIO", invocation.streams[0])):
            code = app(
                argv,
                prog_name="krea",
                obj=invocation,
                standalone_mode=False,
            )
        return int(code or 0)
    except Exception as exc:
        usage = _usage_error(exc, argv)
        if usage is None:
            raise
        raise usage from exc


def _usage_error(exc: Exception, argv: Sequence[str]) -> UsageError | None:
    """
    Return Typer's own error as ours. Typer keeps the class private, but documents its
    `format_message`.
    """
    say = getattr(exc, "format_message", None)
    if say is None or isinstance(exc, KreaError):
        return None
    from krea_cli.cli.completion import grammar

    context = getattr(exc, "ctx", None)
    # Errors about the value of an option come without a context.
    called = " ".join(("krea", *grammar.find(argv)[0].words))
    hint = f"Show the options: {context.command_path if context else called} --help"
    if _is_option_of_later(argv):
        hint = f"Put options after the command.\n{hint}"
    message = " ".join(say().split())
    first = next((word for word in argv if not word.startswith("-")), "")
    if called == "krea auth login" and "argument" in message:
        # Most likely the argument is the token, so it is not repeated.
        return UsageError(
            "Do not pass the token as an argument: others on this computer could see "
            "it.",
            hint="Pass it on standard input: krea auth login < FILE",
        )
    strange = _STRANGE.fullmatch(message)
    if strange and (found := grammar.named(strange[1])):
        hint = "\n".join(f"Did you mean: krea {words}" for words in found)
    elif " " in first:  # as in no command, but in a prompt
        hint = f"Did you mean: {shell_words.join(['krea', 'generate', first])}"
    elif called == "krea generate" and message.startswith("Got unexpected extra arg"):
        hint = _hint_for_extra_words(argv, message)
    return UsageError(message, hint=hint)


def _hint_for_extra_words(argv: Sequence[str], message: str) -> str:
    """
    Say what was meant by words beside the prompt: image files, or more of the prompt.
    """
    found = _EXTRA.search(message)
    extra = found[1].split() if found else []
    files = [word for word in extra if word in argv and _is_image_file(word)]
    if not files or len(files) < len(extra):
        return 'Quote a prompt of several words: krea generate "an owl"'
    options = " ".join(f"-i {shell_words.quote(file)}" for file in files[:MOST_FILES])
    if any(word in ("-i", "--image") for word in argv):
        more = " and so on" * (len(files) > MOST_FILES)
        return f"Repeat -i for each image: {options}{more}"
    return f"Did you mean {options}?"


def _is_image_file(word: str) -> bool:
    from krea_cli.media import of_extension

    media = of_extension(Path(word).suffix)
    return media is not None and media.kind == "image" and Path(word).is_file()


def _is_option_of_later(argv: Sequence[str]) -> bool:
    """
    Tell whether the line begins with an option of the command that comes after it.
    """
    from krea_cli.cli.completion import grammar

    at = next((at for at, word in enumerate(argv) if word in COMMANDS), 0)
    command, _ = grammar.find(argv[at:])
    return at > 0 and command.option(argv[0].partition("=")[0]) is not None
