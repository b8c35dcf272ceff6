"""
What pictures are finished with: noise, gradients, vignettes, outlines.

Everything random comes from the generator given, so the same seed gives the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageChops, ImageFilter, ImageOps
from PIL.Image import Resampling

Colour = tuple[int, int, int]
Palette = tuple[Colour, ...]
Size = tuple[int, int]


def noise(size: Size, rng: random.Random, *, grain: float = 1) -> Image.Image:
    """
    Grey noise from black to white whose grains are *grain* pixels wide.
    """
    width, height = (max(2, round(side / grain)) for side in size)
    grains = Image.frombytes("L", (width, height), rng.randbytes(width * height))
    return grains.resize(size, Resampling.BICUBIC)


def corners(size: Size, colours: Sequence[Colour]) -> Image.Image:
    """
    A gradient between the colours of the four corners, in reading order.
    """
    pixels = bytes(channel for colour in colours for channel in colour)
    return Image.frombytes("RGB", (2, 2), pixels).resize(size, Resampling.BICUBIC)


def downward(size: Size, colours: Sequence[Colour]) -> Image.Image:
    """
    A gradient from top to bottom through all the colours.
    """
    pixels = bytes(channel for colour in colours for channel in colour)
    column = Image.frombytes("RGB", (1, len(colours)), pixels)
    return column.resize(size, Resampling.BICUBIC)


def glow(size: Size) -> Image.Image:
    """
    White in the middle, fading to black where the nearest edges are.
    """
    spot = Image.radial_gradient("L").resize(size, Resampling.BILINEAR)
    # The gradient of Pillow is 181 there, and 255 in the corners.
    return spot.point([round(255 * max(0, 1 - v / 180) ** 2) for v in range(256)])


def vignette(image: Image.Image, strength: float) -> Image.Image:
    """
    Darker towards the corners, by *strength* from 0 to 1.
    """
    shade = Image.radial_gradient("L").resize(image.size, Resampling.BILINEAR)
    shade = shade.point(
        [round(255 * (1 - strength * (v / 255) ** 3)) for v in range(256)]
    )
    return ImageChops.multiply(image, shade.convert("RGB"))


def outlines(image: Image.Image, *, width: float) -> Image.Image:
    """
    The edges of what is in the picture, black on white, about *width* pixels wide.
    """
    grey = image.convert("L").filter(ImageFilter.GaussianBlur(width * 0.6))
    wide = grey.filter(ImageFilter.GaussianBlur(width * 1.6))
    # Difference of Gaussians: lines where it is darker than around.
    lines = ImageChops.subtract(wide, grey, scale=0.12)
    return ImageOps.invert(lines)


def bloom(image: Image.Image, *, radius: float, above: int = 150) -> Image.Image:
    """
    Light that spills out of what is brighter than *above*.
    """
    lights = image.point(
        [max(0, v - above) * 255 // (255 - above) for v in range(256)] * 3
    )
    small = lights.reduce(4) if min(image.size) > 64 else lights
    spread = small.filter(ImageFilter.GaussianBlur(radius / 4)).resize(image.size)
    return ImageChops.screen(image, spread)


def grained(image: Image.Image, rng: random.Random, amount: int) -> Image.Image:
    """
    The picture with film grain that lightens and darkens by up to *amount* of 255.
    """
    grain = noise(image.size, rng, grain=max(1, max(image.size) / 900))
    grey = levels(grain, 128 - amount, 128 + amount)
    return ImageChops.overlay(image, grey)


def levels(grey: Image.Image, low: int, high: int) -> Image.Image:
    """
    The grey picture as RGB, with black made *low* and white *high*.
    """
    table = [min(255, low + v * (high - low) // 255) for v in range(256)]
    return grey.point(table).convert("RGB")


def between(first: Colour, second: Colour, part: float) -> Colour:
    """
    The colour at *part* of the way from the first to the second.
    """
    r, g, b = (round(a + (c - a) * part) for a, c in zip(first, second, strict=True))
    return r, g, b


def curve(points: Sequence[tuple[int, int]]) -> list[int]:
    """
    A table for `Image.point` that runs straight from each point to the next.
    """
    table: list[int] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        table += [round(y0 + (y1 - y0) * (x - x0) / (x1 - x0)) for x in range(x0, x1)]
    return [*table, points[-1][1]]
