"""
Entry point: run one command line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from typing import TextIO, cast

from krea_cli.cli.command_tree import as_typer_has_it, build
from krea_cli.cli.invocation import Flags, Invocation, RunOptions
from krea_cli.cli.run_command import run_command
from krea_cli.cli.signal_exit import exit_by_signal
from krea_cli.runtime import signals

# A shell's exit code after a signal is this plus the number of the signal.
SIGNALLED = 128


def run() -> None:
    """
    Run the console script. The process ends with the exit code of `main`, or, after a
    signal, by that signal. A shell shows the same number in both cases.
    """
    signals.catch()
    code = main()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            # A signal may have left data in the buffer.
            with suppress(OSError, ValueError):
                stream.flush()
    if code > SIGNALLED:
        exit_by_signal(code - SIGNALLED)
    # Skip the cleanup at the end of Python, which takes time.
    os._exit(code)


def main(
    argv: Sequence[str] | None = None, invocation: Invocation | None = None
) -> int:
    """
    Run one command line, and return its exit code.
    """
    argv = sys.argv[1:] if argv is None else argv
    invocation = invocation or Invocation()
    # Commands report their own errors. This handles command lines that Typer rejects,
    # so look for --json without Typer.
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
        from krea_cli.cli.usage_errors import usage_error

        usage = usage_error(exc, argv)
        if usage is None:
            raise
        raise usage from exc
