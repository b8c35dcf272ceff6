"""
What can be shown where standard output goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from krea_cli.cli.context import CliContext
from krea_cli.output.graphics.capabilities import Protocol, look
from krea_cli.output.results.checks import CheckResult, ok, warning

_NAMES = {Protocol.KITTY: "Kitty", Protocol.ITERM2: "iTerm2", Protocol.SIXEL: "Sixel"}


def terminal(session: CliContext) -> Iterator[CheckResult]:
    """
    Size, colour and graphics of a terminal.
    """
    stdout = session.out.stdout
    if not stdout.is_terminal:
        yield ok("terminal", "standard output is none")
        return
    window = look(stdout, session.env)
    graphics = _NAMES[window.protocol] if window.protocol else "no"
    colour = "no colour" if _is_plain(session) else "colour"
    yield ok(
        "terminal",
        f"{window.columns} x {window.rows}, {colour}, {graphics} graphics, "
        f"{stdout.encoding}",
    )
    if not stdout.encoding.lower().startswith("utf"):
        yield warning(
            "terminal",
            f"with {stdout.encoding} some characters are shown as \\uXXXX",
            "Set the locale to one of UTF-8: export LC_ALL=C.UTF-8",
        )


def _is_plain(session: CliContext) -> bool:
    env = session.env
    return bool(env.get("NO_COLOR")) or env.get("TERM") in ("dumb", "unknown")
