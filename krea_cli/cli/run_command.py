"""
Run one command, report the error or signal that ended it, and release its resources.
"""

from __future__ import annotations

from collections.abc import Callable

from krea_cli.cli.context import CliContext
from krea_cli.cli.invocation import Invocation
from krea_cli.errors import BugError, ExitCode, KreaError
from krea_cli.output.escape import escape_control_chars
from krea_cli.runtime import signals
from krea_cli.runtime.signals import Interrupted


def run_command(invocation: Invocation, command: Callable[[CliContext], int]) -> int:
    """
    Call a command with its context. Return its exit code, or that of the error or
    signal that ended it.
    """
    context = CliContext(invocation)
    try:
        try:
            invocation.flags.check()
            return command(context)
        except KreaError as exc:
            return _report(exc, context)
        except Exception as exc:  # noqa: BLE001  (a bug is reported, too)
            return _report_unexpected(exc, context)
    except Interrupted as exc:
        signals.ignore()
        for stream in invocation.streams:
            stream.leave()
        from krea_cli.cli.error_report import report_interruption

        return report_interruption(exc.signum, context)
    finally:
        signals.ignore()
        context.exit_stack.close()


def _report(error: KreaError, context: CliContext) -> ExitCode:
    from krea_cli.cli.error_report import report

    return report(error, context)


def _report_unexpected(exc: Exception, context: CliContext) -> ExitCode:
    """
    Report that memory or another resource is exhausted, or else a bug.
    """
    from krea_cli.runtime.exhaustion import exhausted_error

    if limit := exhausted_error(exc):
        return _report(limit, context)
    error = BugError(
        "Bug in krea", exc, hint="Please report it, with the command and this message."
    )
    if context.invocation.flags.verbose:
        from traceback import format_exception

        text = escape_control_chars("".join(format_exception(exc)))
        context.console.stderr.write(text)
    return _report(error, context)
