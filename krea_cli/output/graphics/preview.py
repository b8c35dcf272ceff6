"""
Draw images on a terminal, one or several side by side.

The images are passed in as pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Literal

from PIL import Image
from rich.color import Color
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.style import Style

from krea_cli.output.graphics import protocols
from krea_cli.output.graphics.capabilities import Protocol, TerminalSize
from krea_cli.output.streams import Stream

MAX_ROWS = 40
# Narrower images are not worth showing side by side.
MIN_COLUMNS = 30
_GAP = 2
# Minimum height at which an image is recognizable.
_MIN_ROWS = 12
# Rows for the line above the image and the prompt below.
_RESERVED_ROWS = 2
# Limits the data sent over slow connections. The terminal scales it up again.
_MAX_PIXELS = 2**20
_OPAQUE = 128
# With half blocks, a cell is one pixel wide and two pixels high.
_HALF_BLOCK = (1, 2)
# End any unfinished sequence: the terminal would swallow all that follows.
_CLOSING = "\x1b\\\x1b[0m\n"
_CLOSING_KITTY = "\x1b\\\x1b_Gm=0;\x1b\\\n"


class Preview:
    """
    Draw on a terminal with the size and protocol in `window`. `blocks` allows half
    blocks if there is no graphics protocol.
    """

    def __init__(
        self,
        stream: Stream,
        env: Mapping[str, str],
        window: TerminalSize,
        *,
        blocks: bool,
    ) -> None:
        self._stream = stream
        # All current terminals support 256 colors, even those that claim to be xterm.
        is_true = env.get("COLORTERM") in ("truecolor", "24bit")
        self._colors: Literal["truecolor", "256"] = "truecolor" if is_true else "256"
        self._window = window
        self._protocol = self._window.protocol
        self._cell = self._window.cell if self._protocol else _HALF_BLOCK
        is_unicode = stream.encoding.lower().startswith("utf")
        self.is_possible = bool(self._protocol) or (blocks and is_unicode)

    @property
    def fits_pair(self) -> bool:
        return self._columns(2) >= MIN_COLUMNS

    def box(self, count: int, *, drawn: int = 1) -> tuple[int, int]:
        """
        Return the width and height in pixels for each of `count` images side by side.

        `drawn` is the number of such rows below each other.
        """
        rows = min(MAX_ROWS, self._window.rows - _RESERVED_ROWS)
        rows = max(
            1, min(rows, max(_MIN_ROWS, rows // drawn - 1) if drawn > 1 else rows)
        )
        return self._columns(count) * self._cell[0], rows * self._cell[1]

    def _columns(self, count: int) -> int:
        return max(1, (self._window.columns - _GAP * (count - 1)) // count)

    def draw(self, pictures: Sequence[Image.Image], *, name: str | None = None) -> None:
        """
        Draw RGBA images side by side, below their `name`. They must fit their boxes.

        Raises:
            StorageError: writing to standard output failed.
        """
        canvas = self._canvas(pictures)
        if name is not None:
            self._stream.write_line(name)
        try:
            self._draw(canvas)
        except BaseException:
            closing = _CLOSING_KITTY if self._protocol is Protocol.KITTY else _CLOSING
            with suppress(Exception):
                self._stream.write(closing)
            raise

    def _draw(self, canvas: Image.Image) -> None:
        if self._protocol is None:
            console = Console(
                file=self._stream,  # type: ignore[arg-type]  # as in `screen`
                force_terminal=True,
                color_system=self._colors,
                no_color=False,  # an image needs its colors
                width=canvas.width,
            )
            console.print(HalfBlocks(canvas), end="", crop=False)
            return
        columns, rows = (canvas.width // self._cell[0], canvas.height // self._cell[1])
        sent = _limited(canvas)
        text = {
            Protocol.KITTY: lambda: protocols.kitty(sent, columns, rows),
            Protocol.ITERM2: lambda: protocols.iterm2(sent, columns, rows),
            Protocol.SIXEL: lambda: protocols.sixel(sent),
        }[self._protocol]()
        self._stream.write(f"{text}\n")

    def _canvas(self, pictures: Sequence[Image.Image]) -> Image.Image:
        """
        Combine the pictures into one whose size is a whole number of cells, so that the
        terminal does not distort it.
        """
        width, height = self._cell
        places, columns = list[int](), 0
        for picture in pictures:
            places.append(columns * width)
            columns += -(-picture.width // width) + _GAP
        rows = max(-(-picture.height // height) for picture in pictures)
        canvas = Image.new("RGBA", ((columns - _GAP) * width, rows * height))
        for picture, left in zip(pictures, places, strict=True):
            canvas.paste(picture, (left, 0))
        return canvas


class HalfBlocks:
    """
    A picture with two pixels in each cell, one above the other. Transparent pixels
    leave the background visible.
    """

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture

    def __rich_console__(self, _: Console, __: ConsoleOptions) -> Iterator[Segment]:
        width, height = self._picture.size
        data = self._picture.tobytes()
        colors = [_color(*data[at : at + 4]) for at in range(0, len(data), 4)]
        for top in range(0, height * width, 2 * width):
            for at in range(top, top + width):
                yield _half_block(colors[at], colors[at + width])
            yield Segment.line()


def _color(red: int, green: int, blue: int, alpha: int) -> Color | None:
    return Color.from_rgb(red, green, blue) if alpha >= _OPAQUE else None


def _half_block(upper: Color | None, lower: Color | None) -> Segment:
    if upper is None:
        return Segment("▄" if lower else " ", Style(color=lower))
    return Segment("▀", Style(color=upper, bgcolor=lower))


def _limited(picture: Image.Image) -> Image.Image:
    shrunk = (_MAX_PIXELS / (picture.width * picture.height)) ** 0.5
    if shrunk >= 1:
        return picture
    width, height = (max(1, int(side * shrunk)) for side in picture.size)
    return picture.resize((width, height))
