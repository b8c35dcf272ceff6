"""
How the findings of `krea doctor` look to a person: parts for `views`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from krea_cli.output.escape import collapse_whitespace, single_line
from krea_cli.output.human.layout import GAP, HintLine, Parts, WrappedLine, words
from krea_cli.output.results.checks import CheckResult

_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}
_MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}
# The longest state with its mark, and the longest check.
_STATE, _CHECK = 9, 12
# With less room the words get a line of their own.
_LEAST_WORDS = 39


def findings(_: CheckResult, results: Sequence[CheckResult]) -> Parts:
    """
    A line for each, and under it what to do, left whole so that it can be copied.
    """
    for result in results:
        yield _Line(result)
        for hint in (result.hint or "").splitlines():
            yield HintLine(single_line(hint), label=("hint: ", "cyan"), indent=GAP)


class _Line:
    """
    State, check and words, below each other where there is no room side by side.
    """

    def __init__(self, finding: CheckResult) -> None:
        self._finding = finding

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Parts:
        finding = self._finding
        is_utf = console.encoding.startswith("utf")
        mark = f"{_MARKS[finding.state]} " if is_utf else ""
        state = Text(f"{mark}{finding.state}", _STYLES[finding.state])
        message = collapse_whitespace(finding.message)
        room = options.max_width - _STATE - _CHECK - 2 * GAP
        longest = max(cell_len(word) for word in message.split(" "))
        if room < max(_LEAST_WORDS, longest):
            yield WrappedLine([state, Text(finding.check)], hanging=GAP)
            yield words(message, indent=GAP)
            return
        table = Table.grid(padding=(0, GAP, 0, 0))
        table.add_column(width=_STATE, no_wrap=True)
        table.add_column(width=_CHECK, no_wrap=True)
        table.add_column()
        table.add_row(state, finding.check, Text(message))
        yield table
