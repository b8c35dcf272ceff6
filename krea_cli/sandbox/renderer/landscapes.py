"""
Abstract pictures in layers, one behind the other.

Each takes a size, a palette from dark to light and a random generator.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from krea_cli.sandbox.renderer import textures
from krea_cli.sandbox.renderer.textures import Colour, Palette, Size, between

Line = list[tuple[float, float]]

_LAYERS = 6
_RIBBONS = 16


def hills(size: Size, palette: Palette, rng: random.Random) -> Image.Image:
    """
    Misty ridges in front of a low sun.
    """
    width, height = size
    image = _sky(size, palette, rng)
    for layer in range(_LAYERS):
        depth = layer / (_LAYERS - 1)
        rough = height * (0.05 + 0.07 * (1 - abs(depth - 0.4)))
        base = height * (0.46 + 0.44 * depth)
        land = _below([(x, base + y) for x, y in _ridge(width, rng, rough=rough)], size)
        far = between(palette[3], palette[1], min(1, depth * 1.6))
        near = between(far, palette[0], depth**1.5)
        mist = between(near, palette[3], 0.45 * (1 - depth))
        image.paste(_slope(size, near, mist, top=base), mask=land)
    return textures.vignette(image, 0.25)


def silk(size: Size, palette: Palette, rng: random.Random) -> Image.Image:
    """
    Folded ribbons, each with a shadow on the one behind.
    """
    image = textures.corners(size, (palette[1], palette[0], palette[2], palette[1]))
    bend, drift = rng.uniform(0.7, 1.5), rng.uniform(-0.5, 0.5)
    phase, unit = rng.uniform(0, math.tau), min(size)
    for ribbon in range(_RIBBONS):
        part = ribbon / (_RIBBONS - 1)
        line = _wave(size, part, bend=bend, drift=drift, phase=phase)
        cloth = _below(line, size)
        shade = cloth.filter(ImageFilter.BoxBlur(unit / 45))
        shade = shade.point([v * 6 // 10 for v in range(256)])
        image.paste(palette[0], (0, -round(unit / 90)), mask=shade)
        step = part * (len(palette) - 1)
        low, high = palette[int(step)], palette[min(len(palette) - 1, int(step) + 1)]
        tone = between(low, high, step - int(step))
        lit, dim = between(tone, palette[4], 0.35), between(tone, palette[0], 0.2)
        image.paste(textures.corners(size, (tone, lit, dim, tone)), mask=cloth)
    return textures.vignette(image, 0.2)


def _sky(size: Size, palette: Palette, rng: random.Random) -> Image.Image:
    sky = textures.downward(size, palette[1:])
    radius = min(size) * rng.uniform(0.07, 0.12)
    x, y = size[0] * rng.uniform(0.25, 0.75), size[1] * rng.uniform(0.3, 0.45)
    spot = textures.glow((round(radius * 9), round(radius * 9))).convert("RGB")
    tinted = ImageChops.multiply(spot, Image.new("RGB", spot.size, palette[3]))
    halo = Image.new("RGB", size)
    halo.paste(tinted, (round(x - radius * 4.5), round(y - radius * 4.5)))
    sky = ImageChops.screen(sky, halo)
    box = [2 * (x - radius), 2 * (y - radius), 2 * (x + radius), 2 * (y + radius)]
    sun = _smooth(size, lambda draw: draw.ellipse(box, fill=255))
    sky.paste(between(palette[4], (255, 255, 255), 0.5), mask=sun)
    return sky


def _below(line: Line, size: Size) -> Image.Image:
    """
    A mask, white below the line.
    """
    points = [(2 * x, 2 * y) for x, y in line]
    outline = [(0, 2 * size[1]), *points, (2 * size[0], 2 * size[1])]
    return _smooth(size, lambda draw: draw.polygon(outline, fill=255))


def _smooth(size: Size, draw: Callable[[ImageDraw.ImageDraw], None]) -> Image.Image:
    """
    What *draw* draws at twice the size, for smooth edges.
    """
    mask = Image.new("L", (size[0] * 2, size[1] * 2))
    draw(ImageDraw.Draw(mask))
    return mask.reduce(2)


def _ridge(width: int, rng: random.Random, *, rough: float) -> Line:
    """
    A skyline around 0 from left to right, made by halving.
    """
    heights = [rng.uniform(-rough, rough), rng.uniform(-rough, rough)]
    while len(heights) <= 128:
        rough *= 0.52
        finer = heights[:1]
        for left, right in pairwise(heights):
            finer += [(left + right) / 2 + rng.uniform(-rough, rough), right]
        heights = finer
    return [(width * i / 128, height) for i, height in enumerate(heights)]


def _wave(size: Size, part: float, *, bend: float, drift: float, phase: float) -> Line:
    line = []
    for step in range(65):
        u = step / 64
        wave = math.sin(math.tau * (u * bend + part * 0.45) + phase)
        wave += 0.45 * math.sin(math.tau * (u * bend * 2.1 - part * 0.8) + phase * 1.7)
        y = 0.08 + 0.95 * part + drift * (u - 0.5) * 0.6 + 0.13 * wave
        line.append((u * size[0], y * size[1]))
    return line


def _slope(size: Size, near: Colour, mist: Colour, *, top: float) -> Image.Image:
    """
    From *near* at the height *top* down to *mist* in the valley.
    """
    slope = Image.new("RGB", size, near)
    start = min(size[1] - 1, max(0, round(top)))
    length = min(size[1] - start, max(1, size[1] // 4))
    slope.paste(textures.downward((size[0], length), (near, mist)), (0, start))
    slope.paste(mist, (0, start + length, *size))
    return slope
