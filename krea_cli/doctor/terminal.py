"""
Check what the terminal can show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from krea_cli.output.graphics.capabilities import Protocol, query_terminal
from krea_cli.output.results.checks import CheckResult, ok, warning
from krea_cli.output.streams import Stream

_NAMES = {Protocol.KITTY: "Kitty", Protocol.ITERM2: "iTerm2", Protocol.SIXEL: "Sixel"}


def check_terminal(stdout: Stream, env: Mapping[str, str]) -> Iterator[CheckResult]:
    """
    Report size, color and graphics of the terminal, if standard output is one.
    """
    if not stdout.is_terminal:
        yield ok("terminal", "standard output is not a terminal")
        return
    window = query_terminal(stdout, env)
    graphics = (
        f"{_NAMES[window.protocol]} images" if window.protocol else "no image protocol"
    )
    is_plain = env.get("NO_COLOR") or env.get("TERM") in ("dumb", "unknown")
    color = "no color" if is_plain else "color"
    yield ok(
        "terminal",
        f"{window.columns}x{window.rows}, {color}, {graphics}, {stdout.encoding}",
    )
    if not stdout.encoding.lower().startswith("utf"):
        yield warning(
            "terminal",
            f"{stdout.encoding} cannot show all characters",
            "Use a UTF-8 locale: export LC_ALL=C.UTF-8",
        )
