"""
Show the progress of a batch: a bar, with the items whose jobs are running above it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from krea_cli.api.models import Job
from krea_cli.errors import KreaError
from krea_cli.output.batch_progress import DOT, BatchCounts, BatchProgress
from krea_cli.output.escape import collapse_whitespace
from krea_cli.output.human.format_text import duration
from krea_cli.output.human.layout import InAscii

MAX_ROWS = 8
_DRAWN_A_SECOND = 4
_MIN_BAR, _MAX_BAR = 8, 40
# The bar, and the last line above it.
_OTHER_ROWS = 2
_MIN_NAME = 10


class BatchBar(BatchProgress):
    """
    One bar for all items, with finished items, money spent and time left. Above it are
    up to eight items whose jobs are running. `note` writes a line above both.
    """

    shows_lines = True

    def __init__(
        self, console: Console, counts: BatchCounts, note: Callable[[str], object]
    ) -> None:
        self._counts = counts
        self._note = note
        self._drawing = _Drawing(counts)
        self._live = Live(
            self._drawing,
            console=console,
            refresh_per_second=_DRAWN_A_SECOND,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._counts.total:
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def seen(self, output: str, job: Job, *, is_paid: bool = False) -> None:
        self._counts.seen(output, job, is_paid=is_paid)

    def missed(self, output: str, error: KreaError) -> None:
        self._counts.missed(output, error)

    def ended(
        self, output: str, line: str, job: Job | None, *, is_paid: bool = False
    ) -> None:
        self._drawing.delay = ""
        self._counts.ended(output, job, is_paid=is_paid)
        self._note(line)

    def delayed(self, text: str) -> None:
        """
        Report why requests have to wait. May be called from any thread.
        """
        self._drawing.delay = collapse_whitespace(text)


class _Drawing:
    """
    The rows of running items, and the bar.
    """

    def __init__(self, counts: BatchCounts) -> None:
        self._counts = counts
        self.delay = ""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        width = options.max_width
        room = max(0, console.height - _OTHER_ROWS - bool(self.delay))
        parts = [*self._rows(width, min(MAX_ROWS, room))]
        if self.delay:
            parts.append(Text(self.delay, "dim", no_wrap=True))
        for part in parts:
            part.truncate(width, overflow="ellipsis")
            yield InAscii(part) if options.ascii_only else part
        yield self._bar(console, options)

    def _rows(self, width: int, most: int) -> list[Text]:
        now, rows = self._counts.now(), []
        for output, row in self._counts.oldest(most):
            status = "saving" if row.job.is_final else row.job.status
            words = f"  {collapse_whitespace(status, 20)}  {duration(now - row.since)}"
            if row.error_text:
                words += f"  cannot check: {row.error_text}"
            room = max(_MIN_NAME, width - len(words) - 2)
            name = _cut(collapse_whitespace(output), room)
            rows.append(Text.assemble("  ", name, (words, "dim"), no_wrap=True))
        return rows

    def _bar(self, console: Console, options: ConsoleOptions) -> Text:
        width, counts = options.max_width, self._counts
        text = next(
            (each for each in self._texts() if len(each) + _MIN_BAR < width), ""
        )
        text = text or f"{counts.done}/{counts.total}"
        bar = ProgressBar(
            total=max(1, counts.total),
            completed=counts.done,
            width=max(1, min(_MAX_BAR, width - len(text) - 2)),
            style="dim",
            complete_style="green",
            finished_style="green",
        )
        line = Text(no_wrap=True, end="")
        for segment in console.render(bar, options):
            line.append(segment.text, segment.style)
        line.append(f" {text}" if not options.ascii_only else f" {_ascii(text)}")
        line.truncate(width, overflow="ellipsis")
        return line

    def _texts(self) -> list[str]:
        """
        Return texts to show after the bar, from the longest to the shortest.
        """
        counts = self._counts
        numbers, money, left = counts.numbers, counts.money, counts.time_left
        short = f"{counts.done}/{counts.total}"
        forms = [
            (DOT.join(numbers), money, left),
            (DOT.join(numbers[:2]), money, left),
            (numbers[0], money, left),
            (short, money, left),
            (short, money),
        ]
        return ["  ".join(filter(None, form)) for form in forms]


def _cut(name: str, room: int) -> str:
    """
    Shorten a path at its beginning, as names in one folder differ at their ends.
    """
    while cell_len(name) > room:
        name = f"…{name[2:]}"
    return name


def _ascii(text: str) -> str:
    return text.replace(DOT, ", ")
