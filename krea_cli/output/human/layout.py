"""
Words and tables that fit the width of a terminal, and leave whole what is copied.

One of the homes of rich.  What is longer than a line, an id, a path or a command, runs
over its end: there the terminal wraps it, and knows that it is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
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
            yield Segment(
                text.replace("…", "~").replace("\N{EN DASH}", "-"), style, control
            )


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
