"""
Choose how results are drawn, and draw everything but jobs and models.

Text from other sources comes in as `Text`, never as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import singledispatch
from itertools import groupby, zip_longest
from textwrap import wrap
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from krea_cli.output.escape import (
    collapse_whitespace,
    escape_control_chars,
    single_line,
)
from krea_cli.output.human import jobs, models
from krea_cli.output.human.layout import (
    GAP,
    HintLine,
    Parts,
    ResponsiveTable,
    WrappedLine,
    words,
)
from krea_cli.output.results.checks import CheckResult
from krea_cli.output.results.jobs import DryRun, JobUrls, Topic, Uploaded
from krea_cli.output.results.sandbox import SandboxReset, SandboxStarted
from krea_cli.output.results.settings import (
    ConfigPath,
    Setting,
    SettingValue,
    TokenStatus,
)


@singledispatch
def view(first: Any, results: Sequence[Any]) -> Parts:
    """
    What to draw for results of one kind, part by part; *first* is the first of them.
    """
    raise NotImplementedError(f"no view for {type(first).__name__}")


@view.register
def _urls(_: JobUrls, results: Sequence[JobUrls]) -> Parts:
    return (
        Text(collapse_whitespace(url)) for result in results for url in result.plain
    )


@view.register
def _settings(_: Setting, results: Sequence[Setting]) -> Parts:
    rows = [
        (
            Text(setting.key),
            Text(collapse_whitespace(setting.text)),
            Text(collapse_whitespace(setting.source), "dim"),
        )
        for setting in results
    ]
    return (ResponsiveTable(("SETTING", "VALUE", "FROM"), rows),)


@view.register
def _value(_: SettingValue, results: Sequence[SettingValue]) -> Parts:
    return (Text(collapse_whitespace(setting.text)) for setting in results)


@view.register
def _config_path(_: ConfigPath, results: Sequence[ConfigPath]) -> Parts:
    for place in results:
        absent = "" if place.exists else "  (none yet)"
        yield Text.assemble(single_line(place.path), (absent, "dim"))


@view.register
def _token(_: TokenStatus, results: Sequence[TokenStatus]) -> Parts:
    rows = list[tuple[Text, Text, Text]]()
    for token in results:
        source = Text(token.source or "nowhere", "green" if token.source else "red")
        backend = Text(collapse_whitespace(token.backend or ""), "dim")
        rows.append((source, Text(collapse_whitespace(token.origin)), backend))
        for shadowed in token.shadows:
            hidden = Text(f"hides {collapse_whitespace(shadowed)}", "dim")
            rows.append((hidden, Text(), Text()))
    return (ResponsiveTable(("TOKEN FROM", "FOR", "KEYRING"), rows),)


@view.register
def _uploaded(_: Uploaded, results: Sequence[Uploaded]) -> Parts:
    return [
        WrappedLine(
            [
                Text(collapse_whitespace(result.asset.url)),
                Text(collapse_whitespace(result.name), "dim"),
            ],
            hanging=GAP,
        )
        for result in results
    ]


@view.register
def _dry_run(_: DryRun, results: Sequence[DryRun]) -> Parts:
    return (
        Text(escape_control_chars(line)) for result in results for line in result.plain
    )


_CHECK_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}
_MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}
# The longest state with its mark, and the longest check.
_STATE, _CHECK = 9, 12
# With less room the words get a line of their own.
_LEAST_WORDS = 39


@view.register
def _findings(_: CheckResult, results: Sequence[CheckResult]) -> Parts:
    """
    A line for each, and under it what to do, left whole so that it can be copied.
    """
    for result in results:
        yield _CheckLine(result)
        for hint in (result.hint or "").splitlines():
            yield HintLine(single_line(hint), label=("hint: ", "cyan"), indent=GAP)


class _CheckLine:
    """
    State, check and words, below each other where there is no room side by side.
    """

    def __init__(self, finding: CheckResult) -> None:
        self._finding = finding

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Parts:
        finding = self._finding
        is_utf = console.encoding.startswith("utf")
        mark = f"{_MARKS[finding.state]} " if is_utf else ""
        state = Text(f"{mark}{finding.state}", _CHECK_STYLES[finding.state])
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


@view.register
def _serving(_: SandboxStarted, results: Sequence[SandboxStarted]) -> Parts:
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


@view.register
def _emptied(_: SandboxReset, results: Sequence[SandboxReset]) -> Parts:
    """
    A sentence.
    """
    for result in results:
        jobs = "1 job" if result.jobs == 1 else f"{result.jobs} jobs"
        yield Text(f"The sandbox forgot {jobs}, and all uploads and results.")


_CELL = re.compile(r"\S+(?: \S+)*")
# Narrower than this a column is read worse than cells one below the other.
_LEAST_CELL = 12

# The cells of a row, each by where it begins; the first one begins at GAP.
_Row = dict[int, str]


@view.register
def _topics(_: Topic, results: Sequence[Topic]) -> Parts:
    """
    Each as it is, or as there is room for it.
    """
    return [_Explained(result.text.splitlines()) for result in results]


class _Explained:
    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        width = options.max_width
        fits = max(map(len, self._lines)) <= width
        for line in self._lines if fits else _reflowed(self._lines, width):
            yield Text(line, no_wrap=True, overflow="ignore")


def _reflowed(lines: Sequence[str], width: int) -> Iterator[str]:
    for kind, group in groupby(lines, key=_kind):
        part = list(group)
        if kind == " ":
            yield from _table(part, width)
        else:
            yield from _wrapped(" ".join(part), width) if kind else part


def _kind(line: str) -> str:
    """
    A blank for the lines of a table, nothing for one that is empty.
    """
    return line[:1] if line[:1] in ("", " ") else "text"


def _table(lines: Sequence[str], width: int) -> Iterator[str]:
    """
    As wide as there is room for.  What has one column is there to be copied, and stays.
    """
    rows = _rows(lines)
    _, *others = sorted({GAP}.union(*rows))
    if not others:
        yield from lines
        return
    widths = _widths(rows, others, width)
    for row in rows:
        if min(widths[1:]) < _LEAST_CELL or row.keys() == {GAP}:
            for start, cell in row.items():
                yield from _wrapped(cell, width, GAP if start == GAP else 2 * GAP)
        else:
            cells = [row.get(start, "") for start in (GAP, *others)]
            yield from _side_by_side(cells, widths)


def _widths(rows: Sequence[_Row], others: Sequence[int], width: int) -> list[int]:
    """
    The first column has what it needs; of two others the last has the smaller part.
    """
    first = max((len(row.get(GAP, "")) for row in rows if len(row) > 1), default=0)
    room = width - GAP - first - GAP
    if len(others) == 1:
        return [first, room]
    last = max(len(row.get(others[-1], "")) for row in rows)
    last = min(last, room * 2 // 5)
    return [first, room - last - GAP, last]


def _rows(lines: Sequence[str]) -> list[_Row]:
    """
    A line that is further indented goes on with the row before; where that has its
    first cell alone, it is a row of its own.
    """
    rows = list[_Row]()
    for line in lines:
        cells = {found.start(): found[0] for found in _CELL.finditer(line)}
        if GAP in cells or rows[-1].keys() == {GAP}:
            rows.append(cells)
        else:
            for start, cell in cells.items():
                rows[-1][start] = f"{rows[-1].get(start, '')} {cell}".lstrip()
    return rows


def _side_by_side(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    columns = [_wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for parts in zip_longest(*columns, fillvalue=""):
        padded = map(str.ljust, parts, widths)
        yield (" " * GAP + (" " * GAP).join(padded)).rstrip()


def _wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """
    The lines of a text; a word is never cut in two.
    """
    before = " " * indent
    return wrap(
        text,
        max(width, 1),
        initial_indent=before,
        subsequent_indent=before,
        break_long_words=False,
        break_on_hyphens=False,
    )


for draw in (
    jobs.rows,
    jobs.statuses,
    jobs.submitted,
    jobs.details,
    jobs.saved,
    jobs.costs,
    jobs.in_doubt,
    jobs.forgotten,
    models.rows,
    models.details,
    models.changes,
):
    view.register(draw)
