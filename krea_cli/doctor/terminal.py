"""
Check what the terminal can show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from krea_cli.output.graphics.capabilities import Protocol, look
from krea_cli.output.results.checks import CheckResult, ok, warning
from krea_cli.output.streams import Stream

_NAMES = {Protocol.KITTY: "Kitty", Protocol.ITERM2: "iTerm2", Protocol.SIXEL: "Sixel"}


def check_terminal(stdout: Stream, env: Mapping[str, str]) -> Iterator[CheckResult]:
    """
    Report size, colour and graphics of the terminal, if standard output is one.
    """
    if not stdout.is_terminal:
        yield ok("terminal", "standard output is none")
        return
    window = look(stdout, env)
    graphics = _NAMES[window.protocol] if window.protocol else "no"
    is_plain = env.get("NO_COLOR") or env.get("TERM") in ("dumb", "unknown")
    colour = "no colour" if is_plain else "colour"
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
