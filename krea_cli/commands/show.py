"""
`krea show`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from krea_cli.session import Session
from krea_cli.work import showing


def show(
    session: Session,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Pictures on this machine.")
    ],
) -> None:
    """
    Show pictures in the terminal.

    \b
    Example:
      krea show out.png
    """
    errors = showing.show(session, files)

    for error in errors[:-1]:
        session.report(error)
    if errors:
        raise errors[-1]
