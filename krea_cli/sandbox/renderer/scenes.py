"""
Pictures out of nothing: what a prompt without an input picture becomes.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from PIL import Image

from krea_cli.sandbox.renderer.landscapes import hills, silk
from krea_cli.sandbox.renderer.patterns import lights, tiles
from krea_cli.sandbox.renderer.textures import Palette, Size

# Each from the dark of the foreground to the light of the sky.
PALETTES: tuple[Palette, ...] = (
    ((24, 18, 54), (94, 44, 110), (224, 84, 108), (255, 164, 106), (255, 226, 170)),
    ((10, 32, 52), (18, 84, 104), (64, 152, 152), (238, 190, 130), (252, 236, 206)),
    ((16, 24, 44), (46, 64, 116), (120, 112, 186), (236, 156, 178), (255, 222, 206)),
    ((20, 36, 30), (44, 92, 74), (132, 158, 96), (236, 204, 118), (252, 244, 208)),
    ((36, 16, 28), (120, 34, 54), (214, 90, 60), (248, 178, 84), (252, 232, 186)),
    ((8, 20, 60), (22, 68, 148), (66, 144, 218), (158, 208, 236), (244, 244, 232)),
)

Painter = Callable[[Size, Palette, random.Random], Image.Image]
_PAINTERS: tuple[Painter, ...] = (hills, silk, lights, tiles)


def scene(size: Size, rng: random.Random) -> Image.Image:
    """
    One of four kinds of abstract picture, in one of six palettes.
    """
    return rng.choice(_PAINTERS)(size, rng.choice(PALETTES), rng)


def placeholder(size: Size) -> Image.Image:
    """
    What stands for a picture that is only named, not fetched: always the same.
    """
    return hills(size, PALETTES[1], random.Random(7))  # noqa: S311  (drawing)
