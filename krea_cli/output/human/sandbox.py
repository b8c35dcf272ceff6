"""
How the sandbox's commands look to a person: parts for `views`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from krea_cli.output.human.layout import Parts
from krea_cli.output.results.sandbox import SandboxReset, SandboxStarted


def serving(_: SandboxStarted, results: Sequence[SandboxStarted]) -> Parts:
    """
    The address, and a command for each thing to do with it.
    """
    for result in results:
        yield Text.assemble(
            "The sandbox listens on ",
            (result.url, "bold"),
            " until Ctrl-C. Any token will do.",
        )
        for purpose, command in result.uses:
            yield Text.assemble((f"  {purpose:<14}", "dim"), command)


def emptied(_: SandboxReset, results: Sequence[SandboxReset]) -> Parts:
    """
    A sentence.
    """
    for result in results:
        jobs = "1 job" if result.jobs == 1 else f"{result.jobs} jobs"
        yield Text(f"The sandbox forgot {jobs}, and all uploads and results.")
