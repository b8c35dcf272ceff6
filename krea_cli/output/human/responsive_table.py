"""
Rows in columns, of which a narrow terminal shows fewer, or all below one another.

One of the homes of rich.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Column
from rich.text import Text

from krea_cli.output.human.layout import GAP, Parts, WrappedLine, table


class ResponsiveTable:
    """
    A row for each of *rows*, in columns under their *titles*, of which none wraps.

    A column that is empty in all rows is left out.  Where there is no room for all,
    those of *gives_way*, the most important first, are left out; the one that is *cut*
    needs no more than *least* cells, and has what is left.  Where there is none for the
    others, the cells of a row stand side by side, as far as there is room, what is cut
    below them.  The column *right* is aligned there.
    """

    def __init__(
        self,
        titles: Sequence[str],
        rows: Sequence[Sequence[Text]],
        *,
        gives_way: Sequence[str] = (),
        cut: str = "",
        least: int = 0,
        right: str = "",
    ) -> None:
        self._rows = [dict(zip(titles, row, strict=True)) for row in rows]
        self._gives_way, self._cut, self._right = gives_way, cut, right
        self._widths = {
            title: max(cell_len(title), *(row[title].cell_len for row in self._rows))
            for title in titles
        }
        self._least = {cut: min(self._widths.get(cut, 0), least)}

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        titles = self._shown(options.max_width)
        if not titles:
            for row in self._rows:
                yield from self._stacked(row, options.max_width)
            return
        widths = {title: self._widths[title] for title in titles}
        spare = options.max_width - _width(widths.values())
        if spare < 0:
            widths[self._cut] += spare
        sheet = table(*(self._column(title, width) for title, width in widths.items()))
        sheet.width = _width(widths.values())
        for row in self._rows:
            sheet.add_row(*(row[title] for title in titles))
        yield sheet

    def fits(self, room: int) -> bool:
        """
        Whether there is room for the columns that must be there.
        """
        return bool(self._shown(room))

    def _shown(self, room: int) -> list[str]:
        """
        The columns that there is room for; none where not even for those that must be.
        """
        needed = self._widths | self._least
        told = [title for title in self._widths if any(r[title] for r in self._rows)]
        shown = {title for title in told if title not in self._gives_way}
        if _width(needed[title] for title in shown) > room:
            return []
        for title in self._gives_way:
            is_told = title in told
            if is_told and _width(needed[each] for each in {*shown, title}) <= room:
                shown.add(title)
        return [title for title in self._widths if title in shown]

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
    The first of the *sheets* that there is room for; the last one where there is none.
    """

    def __init__(self, *sheets: ResponsiveTable) -> None:
        self._sheets = sheets

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        fitting = (sheet for sheet in self._sheets if sheet.fits(options.max_width))
        yield next(fitting, self._sheets[-1])


def _width(widths: Iterable[int]) -> int:
    """
    How many cells so many columns take.
    """
    found = list(widths)
    return sum(found) + GAP * (len(found) - 1)
