"""
Fit text and tables into the width of a terminal, and leave whole what users copy.

An id, a path or a command that is longer than a line runs over its end: the terminal
wraps it, and knows that it is one line. Rich would cut or break it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

GAP = 2
# What is to be pasted is the end of what it is told with.
_COMMAND = re.compile("(.*?: )?((?:krea|mv|mkdir|export|-o) .*)")

Parts = Iterable[RenderableType]


class WrappedLine:
    """
    The *parts* side by side, *gap* blanks between them, as many in a line as there is
    room for: the first line is indented by *indent*, the others by *hanging*.
    """

    def __init__(
        self, parts: Sequence[Text], *, gap: int = GAP, indent: int = 0, hanging: int
    ) -> None:
        self._parts = parts
        self._gap = " " * gap
        self._indent, self._hanging = indent, hanging

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """
        Its lines on a terminal of that width.
        """
        line, lines, is_begun = _whole(self._indent), list[Text](), False
        for part in self._parts:
            if is_begun and line.cell_len + len(self._gap) + part.cell_len > width:
                lines.append(line)
                line, is_begun = _whole(self._hanging), False
            if is_begun:
                line.append(self._gap)
            line.append_text(part)
            is_begun = True
        return [*lines, line]


def words(
    text: str,
    style: str = "",
    *,
    label: tuple[str, str] = ("", ""),
    indent: int = 0,
    hanging: int | None = None,
) -> WrappedLine:
    """
    A sentence behind its *label*, which has a style of its own; it goes on below where
    it began, unless *hanging* says where.
    """
    first, *rest = text.split(" ")
    parts = [Text.assemble(label, (first, style)), *(Text(w, style) for w in rest)]
    below = indent + cell_len(label[0]) if hanging is None else hanging
    return WrappedLine(parts, gap=1, indent=indent, hanging=below)


class HintLine:
    """
    A sentence, or a command, or a sentence that ends in a command, which has a line of
    its own where there is no room for both.  Only the sentence is in *style*.  What has
    no *label* goes on indented.
    """

    def __init__(
        self,
        text: str,
        style: str = "",
        *,
        label: tuple[str, str] = ("", ""),
        indent: int = 0,
    ) -> None:
        self._text, self._style = text, style
        self._label, self._indent = label, indent

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        found = _COMMAND.fullmatch(self._text)
        lead, command = found.groups("") if found else (self._text, "")
        line = _whole(self._indent).append_text(
            Text.assemble(self._label, (lead, self._style), command)
        )
        if line.cell_len <= options.max_width or not lead:
            yield line
            return
        yield words(
            lead.rstrip(),
            self._style,
            label=self._label,
            indent=self._indent,
            hanging=None if self._label[0].strip() else 2 * GAP,
        )
        if command:
            yield _whole(self._indent + GAP).append(command)


class Panel:
    """
    Lines between two rules, of which the first has the *title*; nothing stands beside
    them, so that they can be copied.
    """

    def __init__(self, title: Text, parts: Sequence[WrappedLine]) -> None:
        self._title, self._parts = title, parts

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        width = options.max_width
        lines = [line for part in self._parts for line in part.lines(width)]
        title = Text.assemble(" ", self._title, " ")
        most = max(line.cell_len for line in lines)
        length = min(width, max(most, title.cell_len + 2 * GAP))
        dash = "-" if options.ascii_only else "─"
        end = dash * (length - GAP - title.cell_len)
        yield Text.assemble((dash * GAP, "dim"), title, (end, "dim"))
        yield from lines
        yield Text(dash * length, "dim")


class InAscii:
    """
    What is cut ends as it can be shown where there are no more than ASCII characters.
    """

    def __init__(self, part: RenderableType) -> None:
        self._part = part

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterable[Segment]:
        for text, style, control in console.render(self._part, options):
            yield Segment(text.replace("…", "~"), style, control)


class ResponsiveTable:
    """
    A table whose cells do not wrap: where they have no room, columns go.

    Columns without any text are left out, and then the *optional* ones that have no
    room, the most important of which comes first. The column *cut* is shortened, to no
    less than *least* cells. Where even the others have no room, the cells of a row
    stand side by side in as many lines as they need. The column *right* is aligned
    there.
    """

    def __init__(
        self,
        titles: Sequence[str],
        rows: Sequence[Sequence[Text]],
        *,
        optional: Sequence[str] = (),
        cut: str = "",
        least: int = 0,
        right: str = "",
    ) -> None:
        self._rows = [dict(zip(titles, row, strict=True)) for row in rows]
        self._titles = [title for title in titles if any(r[title] for r in self._rows)]
        self._optional = [title for title in optional if title in self._titles]
        self._cut, self._least, self._right = cut, least, right

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Parts:
        if fitting := self.fitting(console, options):
            yield fitting
            return
        for row in self._rows:
            yield from self._stacked(row, options.max_width)

    def fitting(self, console: Console, options: ConsoleOptions) -> Table | None:
        """
        Return the table with as many columns as have room; None if there is too little.
        """
        fitting = None
        shown = [title for title in self._titles if title not in self._optional]
        for title in (None, *self._optional):
            tried = [each for each in self._titles if each in shown or each == title]
            candidate = self._table(tried)
            needed = candidate.__rich_measure__(console, options.update(width=2**16))
            if needed.minimum <= options.max_width:
                shown, fitting = tried, candidate
            elif title is None:
                break
        return fitting

    def _table(self, titles: Sequence[str]) -> Table:
        columns = [
            Column(self._cell(Text(title), title, titles), no_wrap=title != self._cut)
            for title in titles
        ]
        grid = Table(*columns, box=None, padding=0, header_style="dim")
        for row in self._rows:
            grid.add_row(*(self._cell(row[title], title, titles) for title in titles))
        return grid

    def _cell(self, text: Text, title: str, titles: Sequence[str]) -> _Cell:
        return _Cell(
            text,
            least=self._least if title == self._cut else text.cell_len,
            gap=0 if title == titles[-1] else GAP,
            align="right" if title == self._right else "left",
        )

    def _stacked(self, row: Mapping[str, Text], width: int) -> Parts:
        cells = [cell for title, cell in row.items() if cell and title != self._cut]
        yield WrappedLine(cells, hanging=GAP)
        if last := row.get(self._cut):
            last.truncate(max(width - GAP, 1), overflow="ellipsis")
            yield WrappedLine([last], indent=GAP, hanging=GAP)


class FirstThatFits:
    """
    The first of the tables that has room; where none has, the last one.
    """

    def __init__(self, *tables: ResponsiveTable) -> None:
        self._tables = tables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Parts:
        found = (each.fitting(console, options) for each in self._tables)
        yield next((each for each in found if each), self._tables[-1])


class _Cell:
    """
    A text that is cut where it has no room, to no less than *least* cells, with a *gap*
    behind it. Rich's padding also counts for the last column, and its measure of a text
    is the longest word.
    """

    def __init__(
        self, text: Text, *, least: int, gap: int, align: Literal["left", "right"]
    ) -> None:
        self._text, self._least, self._gap = text, least, gap
        self._align: Literal["left", "right"] = align

    def __rich_measure__(self, *_: object) -> Measurement:
        length = self._text.cell_len
        return Measurement(min(self._least, length) + self._gap, length + self._gap)

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        text = self._text.copy()
        text.overflow = "ellipsis"
        text.align(self._align, options.max_width - self._gap)
        yield text


def table(*columns: Column | str) -> Table:
    """
    A table without lines.
    """
    return Table(
        *columns, box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0)
    )


def _whole(indent: int) -> Text:
    """
    A line that is neither cut nor broken.
    """
    return Text(" " * indent, no_wrap=True, overflow="ignore")
