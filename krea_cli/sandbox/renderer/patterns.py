"""
Abstract pictures of many like things.

Each takes a size, a palette from dark to light and a random generator.
"""

from __future__ import annotations

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from krea_cli.sandbox.renderer import textures
from krea_cli.sandbox.renderer.textures import Colour, Palette, Size, between

_BLACK = (0, 0, 0)
# How many, from which radius to which, how blurred: parts of the shorter side.
_LIGHTS = (
    (26, 0.09, 0.19, 0.02),
    (34, 0.03, 0.09, 0.004),
    (60, 0.004, 0.012, 0.001),
)


def lights(size: Size, palette: Palette, rng: random.Random) -> Image.Image:
    """
    Lamps out of focus.
    """
    dark = between(palette[0], _BLACK, 0.35)
    corners = (palette[0], dark, between(palette[1], dark, 0.3), palette[0])
    image, unit = textures.corners(size, corners), min(size)
    for count, low, high, blur in _LIGHTS:
        layer = Image.new("RGB", size)
        for _ in range(count):
            radius = max(1, round(unit * rng.uniform(low, high)))
            colour = between(rng.choice(palette[2:]), _BLACK, rng.uniform(0.35, 0.8))
            disc = _disc(radius, colour, between(colour, palette[4], 0.25))
            x = rng.random() * size[0]
            y = size[1] * rng.triangular(0, 1, 0.62)
            left, top = round(x) - radius, round(y) - radius
            behind = layer.crop((left, top, left + disc.width, top + disc.height))
            layer.paste(ImageChops.screen(behind, disc), (left, top))
        layer = layer.filter(ImageFilter.GaussianBlur(unit * blur))
        image = ImageChops.screen(image, layer)
    return textures.vignette(image, 0.35)


def tiles(size: Size, palette: Palette, rng: random.Random) -> Image.Image:
    """
    A wall of simple shapes.
    """
    columns = min(48, max(2, round(size[0] / min(size) * 6)))
    side = math.ceil(size[0] / columns)
    image = Image.new("RGB", size)
    for top in range(0, size[1], side):
        for left in range(0, size[0], side):
            ground, shape, dot = rng.sample(palette, 3)
            image.paste(_tile(side, rng, ground, shape, dot), (left, top))
    return textures.grained(image, rng, 16)


def _disc(radius: int, colour: Colour, rim: Colour) -> Image.Image:
    disc = Image.new("RGB", (2 * radius + 1, 2 * radius + 1))
    box = (0, 0, 2 * radius, 2 * radius)
    width = max(1, radius // 14)
    ImageDraw.Draw(disc).ellipse(box, fill=colour, outline=rim, width=width)
    return disc


def _tile(
    side: int, rng: random.Random, ground: Colour, shape: Colour, dot: Colour
) -> Image.Image:
    full = side * 3
    half, third = full // 2, full // 3
    tile = Image.new("RGB", (full, full), ground)
    draw = ImageDraw.Draw(tile)
    kind = rng.randrange(5)
    if kind == 0:
        draw.pieslice((-full, 0, full, 2 * full), 270, 360, fill=shape)
        draw.pieslice((-half, half, half, full + half), 270, 360, fill=dot)
    elif kind == 1:
        draw.pieslice((0, 0, full, full), 90, 270, fill=shape)
        draw.pieslice((0, 0, full, full), 270, 90, fill=dot)
    elif kind == 2:
        draw.circle((half, half), full * 0.36, fill=shape)
        draw.circle((half, half), full * 0.16, fill=dot)
    elif kind == 3:
        draw.polygon([(0, 0), (full, 0), (0, full)], fill=shape)
    else:
        for top in range(0, full, third):
            draw.rectangle((0, top, full, top + third // 2), fill=shape)
    return tile.rotate(90 * rng.randrange(4)).reduce(3)
