"""
`krea help`: topics; `krea help COMMAND` is `krea COMMAND --help`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from krea_cli.cli import command_tree
from krea_cli.cli.context import CliContext
from krea_cli.cli.help import topics
from krea_cli.errors import UsageError
from krea_cli.output.results.jobs import Topic
from krea_cli.runtime.nearest_words import nearest_words


def help(  # noqa: A001  (the name of the command)
    ctx: CliContext,
    topic: Annotated[
        str,
        typer.Argument(
            metavar="TOPIC", help=f"{', '.join(topics.NAMES)}, or a command."
        ),
    ],
) -> None:
    """
    Show help for a topic or a command.

    \b
    Examples:
      krea help exit-codes
      krea help jobs list
    """
    if topic not in topics.NAMES:
        known = (*topics.NAMES, *command_tree.COMMANDS)
        near = nearest_words(topic, known)
        raise UsageError(
            f"Unknown help topic {topic!r}.",
            hint=f"Did you mean: krea help {near[0]}"
            if near
            else f"Topics: {', '.join(topics.NAMES)}.",
        )
    ctx.console.result([Topic(topic, topics.text(topic))])
