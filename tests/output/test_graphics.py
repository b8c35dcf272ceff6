from __future__ import annotations

import pytest
import terminals
from PIL import Image, ImageChops, ImageDraw, ImageStat

from krea_cli.output.graphics import protocols


def drawn(size=(67, 43)):
    """
    A picture that is transparent in a corner, with short and long runs elsewhere.
    """
    picture = Image.linear_gradient("L").resize(size).convert("RGBA")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((size[0] // 3, 0, size[0], size[1]), fill="orange")
    draw.rectangle((0, 0, size[0] // 2, size[1] // 2), fill=(0, 0, 0, 0))
    return picture


def unlike(one, other):
    """
    How far two pictures are from each other, in levels of 255.
    """
    difference = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
    return max(ImageStat.Stat(difference).rms)


@pytest.mark.parametrize("size", [(67, 43), (400, 300)])
def test_kitty_gets_the_picture_bit_by_bit(size):
    """
    A PNG in chunks of at most 4096 bytes, on so many cells; no answer is wanted, as
    nobody would read it.
    """
    keys, shown = terminals.kitty(protocols.kitty(drawn(size), 40, 20))

    assert drawn(size).tobytes() == shown.tobytes()
    assert {
        "a": "T",
        "f": "100",
        "q": "2",
        "c": "40",
        "r": "20",
    }.items() <= keys.items()


def test_iterm2_gets_the_picture_bit_by_bit():
    """
    A PNG, shown where the cursor is and not kept as a download.
    """
    keys, shown = terminals.iterm2(protocols.iterm2(drawn(), 40, 20))

    assert drawn().tobytes() == shown.tobytes()
    assert ("1", "40", "20") == (keys["inline"], keys["width"], keys["height"])


@pytest.mark.parametrize("size", [(67, 43), (1, 1), (5, 12), (300, 7)])
def test_sixel_gets_the_picture(size):
    """
    Pixel by pixel, what is transparent left out; heights need not be those of bands.
    """
    picture = drawn(size)

    shown = terminals.sixel(protocols.sixel(picture))

    assert picture.getchannel("A").tobytes() == shown.getchannel("A").tobytes()
    assert unlike(picture, shown) < 8


def test_sixel_has_few_colours_as_they_are():
    """
    A percent of 255 is as near as Sixel can be.
    """
    picture = Image.new("RGBA", (9, 9), (255, 0, 51, 255))
    picture.paste((0, 102, 255, 255), (3, 2, 9, 9))

    assert picture.tobytes() == terminals.sixel(protocols.sixel(picture)).tobytes()


def test_sixel_repeats_instead_of_writing_again():
    """
    A thousand equal pixels are one run, and none follows the last one of a colour.
    """
    dot = Image.new("RGBA", (1000, 6))
    dot.putpixel((0, 0), (255, 0, 0, 255))

    assert "?" not in protocols.sixel(dot)
    assert len(protocols.sixel(Image.new("RGBA", (1000, 6), "teal"))) < 100
