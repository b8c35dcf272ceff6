from __future__ import annotations

import io

import pytest
import terminals
from output.telling import Terminal
from PIL import Image

from krea_cli.output.graphics.capabilities import query_terminal
from krea_cli.output.graphics.preview import Preview
from krea_cli.output.streams import Stream

TRUE = {"COLORTERM": "truecolor"}
KITTY = {"TERM": "xterm-kitty"}
RED, BLUE = (255, 0, 0, 255), (0, 0, 255, 255)


@pytest.fixture
def window(monkeypatch):
    """
    Sets the size of the terminal.
    """

    def resize(columns, rows=60):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", str(rows))

    resize(80)
    return resize


def preview(stream, env, *, blocks):
    return Preview(stream, env, query_terminal(stream, env), blocks=blocks)


def fitted(size, box, colour=RED):
    picture = Image.new("RGBA", size, colour)
    picture.thumbnail(box)
    return picture


def draw(*sizes, env=TRUE):
    file = Terminal()
    screen = preview(Stream(file, "Standard output"), env, blocks=True)
    box = screen.box(len(sizes))
    colours = (RED, BLUE)[: len(sizes)]
    screen.draw([fitted(s, box, c) for s, c in zip(sizes, colours, strict=True)])
    return file.getvalue()


@pytest.mark.parametrize(("drawn", "rows"), [(1, 40), (2, 19), (3, 12), (9, 12)])
def test_several_pictures_share_the_terminal(window, drawn, rows):
    """
    As long as each can be recognised.
    """
    window(100)

    screen = preview(Stream(Terminal(), "Standard output"), TRUE, blocks=True)

    assert (100, 2 * rows) == screen.box(1, drawn=drawn)


@pytest.mark.posix
@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("size", [(1600, 900), (40, 3000)])
def test_a_picture_fits_the_terminal(window, columns, size):
    """
    As wide as it is, but never more than 40 rows, whatever draws it.
    """
    window(columns)

    shown = terminals.blocks(draw(size))
    keys, _ = terminals.kitty(draw(size, env=KITTY))

    assert shown.width <= columns
    assert shown.height <= 80
    assert int(keys["c"]) <= columns
    assert int(keys["r"]) <= 40
    # It is as large as that allows.
    assert shown.width == columns or shown.height in (79, 80)


def test_a_low_terminal_shows_all_of_it(window):
    """
    With the line above it and the prompt below.
    """
    window(80, rows=12)

    assert (20, 20) == terminals.blocks(draw((500, 500))).size


@pytest.mark.posix
def test_a_small_picture_stays_small(window):
    """
    A pixel is never more than one.
    """
    keys, shown = terminals.kitty(draw((15, 25), env=KITTY))

    assert (15, 26) == terminals.blocks(draw((15, 25))).size
    assert ("2", "2", (20, 40)) == (keys["c"], keys["r"], shown.size)


@pytest.mark.posix
@pytest.mark.parametrize("variables", [TRUE, KITTY], ids=["blocks", "kitty"])
def test_two_pictures_stand_side_by_side(window, variables):
    """
    Each in its half, with a gap through which the terminal is seen.
    """
    written = draw((500, 500), (500, 250), env=variables)
    shown = (
        terminals.blocks(written) if variables is TRUE else terminals.kitty(written)[1]
    )

    cell = shown.width // 80
    row = [shown.getpixel((column * cell, 0)) for column in range(80)]
    assert [RED] * 39 + [(0, 0, 0, 0)] * 2 + [BLUE] * 39 == row
    assert RED == shown.getpixel((0, 30))
    assert shown.getpixel((79 * cell, shown.height - 1))[3] == 0


@pytest.mark.parametrize(("columns", "fits"), [(40, False), (61, False), (62, True)])
def test_a_pair_needs_thirty_columns_each(window, columns, fits):
    """
    Less is not worth it.
    """
    window(columns)

    screen = preview(Stream(Terminal(), "Standard output"), {}, blocks=True)

    assert fits == screen.fits_pair


def test_without_true_colours_there_are_256(window, monkeypatch):
    """
    Every terminal has them, also one that says nothing of it; NO_COLOR is for words.
    """
    monkeypatch.setenv("NO_COLOR", "1")

    written = draw((10, 10), env={})

    assert "\x1b[38;5;" in written
    assert "38;2" not in written


@pytest.mark.posix
def test_half_blocks_are_drawn_only_when_allowed(window):
    """
    And only where standard output can encode them.
    """
    ascii_file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    streams = [Stream(Terminal(), "Standard output"), Stream(ascii_file, "")]

    assert not preview(streams[0], {}, blocks=False).is_possible
    assert preview(streams[0], {}, blocks=True).is_possible
    assert not preview(streams[1], {}, blocks=True).is_possible
    assert preview(streams[0], KITTY, blocks=False).is_possible


@pytest.mark.posix
def test_a_large_picture_is_sent_smaller(window):
    """
    A million pixels go over the line; the terminal makes them as large as planned.
    """
    window(2000, rows=60)

    keys, shown = terminals.kitty(draw((8000, 800), env=KITTY))

    assert ("800", "40") == (keys["c"], keys["r"])
    assert 0.99 * 2**20 < shown.width * shown.height <= 2**20


class Torn(Terminal):
    """
    Takes half of the first long text.
    """

    def write(self, text):
        if len(text) > 1000 and not self.getvalue():
            super().write(text[: len(text) // 2])
            raise KeyboardInterrupt
        return super().write(text)


@pytest.mark.posix
@pytest.mark.parametrize(
    ("variables", "end"),
    [
        (KITTY, "\x1b\\\x1b_Gm=0;\x1b\\\n"),
        ({"TERM_PROGRAM": "iTerm.app"}, "\x1b\\\x1b[0m\n"),
        (TRUE, "\x1b\\\x1b[0m\n"),
    ],
    ids=["kitty", "iterm2", "blocks"],
)
def test_no_half_sequence_is_left(window, variables, end):
    """
    Whatever ended it, the terminal takes what follows as text again.
    """
    file = Torn()
    screen = preview(Stream(file, "Standard output"), variables, blocks=True)
    noise = Image.effect_noise((60, 60), 90).convert("RGBA")

    with pytest.raises(KeyboardInterrupt):
        screen.draw([noise])

    assert file.getvalue().endswith(end)
