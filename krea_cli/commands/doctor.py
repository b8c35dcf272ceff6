"""
`krea doctor`: what is wrong here, and how to mend it.
"""

from __future__ import annotations

from dataclasses import replace

from krea_cli.cli.context import CliContext
from krea_cli.doctor.run import run_checks
from krea_cli.errors import KreaError


def doctor(session: CliContext) -> None:
    """
    Check everything that krea needs, and say how to mend it.

    It changes nothing, and sends one request, which is free. With a fault it ends with
    the exit code of the first one.

    \b
    Example:
      krea doctor
    """
    first: KreaError | None = None
    for finding in run_checks(session):
        lines = session.next_steps.lines(finding.advice)
        session.out.result([replace(finding, advice=lines)])
        first = first or finding.error
    if first:
        raise first
