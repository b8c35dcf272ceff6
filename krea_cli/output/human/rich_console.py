"""
Draw on a terminal: results, lines with colored labels, a spinner.

Text is printed literally, never as markup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleDimensions
from rich.text import Text

from krea_cli.output.escape import single_line
from krea_cli.output.graphics.capabilities import size
from krea_cli.output.human.batch_bar import BatchBar
from krea_cli.output.human.layout import HintLine, InAscii, wrap_sentence
from krea_cli.output.human.spinner import Spinner
from krea_cli.output.human.views import view
from krea_cli.output.results.jobs import Result
from krea_cli.output.streams import Stream

if TYPE_CHECKING:
    from krea_cli.output.batch_progress import BatchCounts

_USUAL_COLUMNS = 80


class RichConsole:
    """
    Draw on `stream`. If `color` is None, use the colors that the terminal supports.
    """

    def __init__(self, stream: Stream, *, color: bool | None) -> None:
        # Only terminals have a width. The lines of a log are not wrapped.
        self._wraps = stream.is_terminal
        self._console = Console(
            file=stream,  # type: ignore[arg-type]  # rich asks no more of a file
            force_terminal=color or None,
            # The views use the colors of the oldest terminals.
            color_system={None: "auto", True: "standard", False: None}[color],
            no_color=False if color else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        if self._console.is_dumb_terminal:
            # Here Rich would assume 80 columns.
            self._console.size = ConsoleDimensions(*size(stream))
        # Rich prints nothing if COLUMNS is 0.
        if self._console.width < 1:
            self._console.width = _USUAL_COLUMNS

    def draw(self, results: Sequence[Result]) -> None:
        """
        Draw results of the same type.
        """
        for part in view(results[0], results):
            # Do not wrap plain lines, so that paths and commands can be copied.
            is_line = isinstance(part, Text)
            drawn = InAscii(part) if self._is_ascii and not is_line else part
            self._console.print(drawn, soft_wrap=is_line, crop=False)

    @property
    def _is_ascii(self) -> bool:
        return self._console.options.ascii_only

    def say(self, label: str, text: str, style: str) -> None:
        """
        Write a line with its `label` in `style`. Without a label, style all of it.
        """
        shown = single_line(text)
        style_of_words = "" if label else style
        if self._wraps:
            advice = HintLine(shown, style_of_words, label=(label, style))
            self._console.print(advice, crop=False)
            return
        line = Text.assemble((label, style), (shown, style_of_words))
        self._console.print(line, soft_wrap=True)

    def ask(self, question: str) -> None:
        """
        Write a question. The answer is typed after it.
        """
        lines = wrap_sentence(single_line(question), hanging=0).lines(
            self._console.width
        )
        self._console.print(Text("\n").join(lines), end="", soft_wrap=True)

    def batch_bar(self, counts: BatchCounts, note: Callable[[str], object]) -> BatchBar:
        return BatchBar(self._console, counts, note)

    def spinner(self, now: Callable[[], float]) -> Spinner:
        return Spinner(self._console, now, lambda text: self.say("", text, "dim"))
