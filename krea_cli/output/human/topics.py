"""
How a topic of `krea help` looks to a person: a part for `views`.

Where a text has no room as it is, its paragraphs are wrapped anew, and its tables
within their columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from textwrap import wrap

from rich.console import Console, ConsoleOptions
from rich.text import Text

from krea_cli.output.human.layout import GAP, Parts
from krea_cli.output.results.jobs import Topic

_CELL = re.compile(r"\S+(?: \S+)*")
# Narrower than this a column is read worse than cells one below the other.
_LEAST_CELL = 12

# The cells of a row, each by where it begins; the first one begins at GAP.
_Row = dict[int, str]


def topics(_: Topic, results: Sequence[Topic]) -> Parts:
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
