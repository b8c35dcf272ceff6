"""
`krea show`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from krea_cli.cli.context import CliContext
from krea_cli.operations import preview


def show(
    ctx: CliContext,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Images to show.")
    ],
) -> None:
    """
    Show images in the terminal.

    \b
    Example:
      krea show out.png
    """
    errors = preview.show(
        files,
        console=ctx.console,
        env=ctx.env,
        writes_json=ctx.invocation.flags.json,
    )

    for error in errors[:-1]:
        ctx.report_error(error)
    if errors:
        raise errors[-1]
