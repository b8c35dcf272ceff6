"""
Fit text and tables to the width of a terminal without breaking what users copy.

Ids, paths and commands that are too long run over the end of the line: the terminal
wraps them and still copies them as one line. Rich would cut or break them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

GAP = 2
# A hint may end with a command to paste.
_COMMAND = re.compile("(.*?: )?((?:krea|mv|mkdir|export|-[io]) .*)")

Parts = Iterable[RenderableType]


class WrappedLine:
    """
    Parts side by side, with `gap` spaces between them, and as many lines as needed.

    The first line is indented by `indent`, the others by `hanging`.
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
        Return the lines for a terminal of this width.
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


def wrap_sentence(
    text: str,
    style: str = "",
    *,
    label: tuple[str, str] = ("", ""),
    indent: int = 0,
    hanging: int | None = None,
) -> WrappedLine:
    """
    Wrap a sentence after its `label`, which is a pair of text and style.

    Further lines are indented to the start of the sentence, or by `hanging`.
    """
    first, *rest = text.split(" ")
    parts = [Text.assemble(label, (first, style)), *(Text(w, style) for w in rest)]
    below = indent + cell_len(label[0]) if hanging is None else hanging
    return WrappedLine(parts, gap=1, indent=indent, hanging=below)


class HintLine:
    """
    A sentence, a command, or a sentence that ends with a command.

    If there is no room for both, the command gets its own line. Only the sentence has
    the `style`. Without a `label`, further lines are indented.
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
        yield wrap_sentence(
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
    Lines between two rules, the first with the `title`.

    There are no borders at the sides, so that the lines can be copied.
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
    Replaces the ellipsis of shortened text if only ASCII can be shown.
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
    A table whose cells do not wrap. Columns are dropped if space is short.

    Empty columns are always left out. Then columns named in `optional` are dropped,
    starting from its end, and the column `cut` is shortened to no less than `least`
    cells. If even the other columns do not fit, the cells of a row are placed side by
    side on as many lines as needed; there the column `right` is right-aligned.
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
        self._widths = {
            title: max(cell_len(title), *(row[title].cell_len for row in self._rows))
            for title in self._titles
        }
        self._least = {cut: min(self._widths.get(cut, 0), least)}
        self._cut, self._right = cut, right

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        if fitting := self.fitting(options.max_width):
            yield fitting
            return
        for row in self._rows:
            yield from self._stacked(row, options.max_width)

    def fitting(self, room: int) -> Table | None:
        """
        Return the table with the columns that fit, or None if even the required ones do
        not.
        """
        needed = self._widths | self._least
        shown = [title for title in self._titles if title not in self._optional]
        if _total(needed[title] for title in shown) > room:
            return None
        for title in self._optional:
            more = [each for each in self._titles if each in shown or each == title]
            if _total(needed[each] for each in more) <= room:
                shown = more
        widths = {title: self._widths[title] for title in shown}
        if (missing := _total(widths.values()) - room) > 0:
            widths[self._cut] -= missing
        grid = table(*(self._column(title, width) for title, width in widths.items()))
        grid.width = _total(widths.values())
        for row in self._rows:
            grid.add_row(*(row[title] for title in shown))
        return grid

    def _column(self, title: str, width: int) -> Column:
        return Column(
            title,
            width=width,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if title == self._right else "left",
        )

    def _stacked(self, row: Mapping[str, Text], width: int) -> Parts:
        cells = [cell for title, cell in row.items() if cell and title != self._cut]
        yield WrappedLine(cells, hanging=GAP)
        if last := row.get(self._cut):
            last.truncate(max(width - GAP, 1), overflow="ellipsis")
            yield WrappedLine([last], indent=GAP, hanging=GAP)


class FirstThatFits:
    """
    Draws the first table that fits, or else the last.
    """

    def __init__(self, *tables: ResponsiveTable) -> None:
        self._tables = tables

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        found = (each.fitting(options.max_width) for each in self._tables)
        yield next((each for each in found if each), self._tables[-1])


def _total(widths: Iterable[int]) -> int:
    """
    Return the total width of columns, gaps included.
    """
    found = list(widths)
    return sum(found) + GAP * (len(found) - 1)


def table(*columns: Column | str) -> Table:
    """
    Build a table without rules.
    """
    return Table(
        *columns, box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0)
    )


def _whole(indent: int) -> Text:
    """
    Start a line that is neither shortened nor wrapped.
    """
    return Text(" " * indent, no_wrap=True, overflow="ignore")
