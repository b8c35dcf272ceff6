"""
How the findings of `krea doctor` look to a person: parts for `views`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from krea_cli.output.findings import Finding
from krea_cli.output.terminal import one_line, unbroken

_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}
_MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}
# The longest state with its mark, and the longest check.
_STATE, _CHECK, _GAP = 9, 12, 2
# Below that the words get a line of their own.
_NARROW = 64

Parts = Iterable[RenderableType]


def findings(_: Finding, results: Sequence[Finding]) -> Parts:
    """
    A line for each, and under it what to do, left whole so that it can be copied.
    """
    for result in results:
        yield _Line(result)
        for hint in (result.hint or "").splitlines():
            yield Text.assemble(("  hint: ", "cyan"), unbroken(hint))


class _Line:
    """
    State, check and words, below each other where there is no room side by side.
    """

    def __init__(self, finding: Finding) -> None:
        self._finding = finding

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Parts:
        finding = self._finding
        is_utf = console.encoding.startswith("utf")
        mark = f"{_MARKS[finding.state]} " if is_utf else ""
        state = Text(f"{mark}{finding.state}", _STYLES[finding.state])
        check, words = Text(finding.check), Text(one_line(finding.message))
        if options.max_width < _NARROW:
            yield Text.assemble(state, "  ", check)
            yield Padding(words, (0, 0, 0, _GAP))
            return
        table = Table.grid(padding=(0, _GAP, 0, 0))
        table.add_column(width=_STATE, no_wrap=True)
        table.add_column(width=_CHECK, no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row(state, check, words)
        yield table
