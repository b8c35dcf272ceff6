"""
Draw misty ridges in the colors of the prompt, for prompts without an input image.
"""

from __future__ import annotations

import random
import re
from itertools import pairwise

from PIL import Image, ImageChops, ImageColor, ImageDraw
from PIL.Image import Resampling

from krea_cli.sandbox.sizes import Size

Color = tuple[int, ...]
Palette = tuple[Color, ...]

# Each palette follows the words that select it. It runs from the dark foreground to the
# light above the horizon.
_PALETTES = (
    ("night|moon|dark", "#060a1e #0e183e #26366e #5664a4 #bcbedc"),
    ("sunset|fire|autumn", "#24101c #782236 #d65a3c #f8b254 #fce8ba"),
    ("forest|green|spring", "#14241e #2c5c4a #849e60 #eccc76 #fcf4d0"),
    ("sea|ocean|waves|blue", "#08143c #164494 #4290da #9ed0ec #f4f4e8"),
    ("snow|winter|ice", "#2c3e58 #5c7a9c #96b4ce #ccdae8 #faf8f6"),
    ("flowers?|rose|pink", "#28163c #6c3a78 #cc6896 #fab0b0 #ffe4d2"),
    ("dusk|purple", "#181236 #5e2c6e #e0546c #ffa46a #ffe2aa"),
    ("lake|river|teal", "#0a2034 #125468 #409898 #eebe82 #fceece"),
)


def choose_palette(prompt: str, rng: random.Random) -> Palette:
    """
    Choose the palette whose words the prompt contains, or a random one, mixed with a
    touch of another.
    """
    # Never choose the dark palette by chance.
    chosen, others = rng.choices([colors for _, colors in _PALETTES[1:]], k=2)
    for words, colors in _PALETTES:
        if re.search(rf"\b({words})\b", prompt, re.IGNORECASE):
            chosen = colors
    touch = rng.uniform(0, 0.25)
    pairs = zip(chosen.split(), others.split(), strict=True)
    color = ImageColor.getrgb
    return tuple(mix(color(one), color(other), touch) for one, other in pairs)


def mix(first: Color, second: Color, part: float) -> Color:
    """
    Blend two colors: 0 is the first, 1 the second.
    """
    part = min(1.0, part)
    return tuple(round(a + (b - a) * part) for a, b in zip(first, second, strict=True))


def landscape(size: Size, palette: Palette, rng: random.Random) -> Image.Image:
    """
    Draw ridges, one behind the other, in front of a low sun.
    """
    height, layers = size[1], rng.randint(3, 6)
    rough = height * rng.uniform(0.05, 0.2)
    image = _gradient(size, palette[1:], 0, height * 0.8)
    _add_sun(image, mix(palette[4], (255, 255, 255), 0.6), rng)
    for layer in range(layers):
        depth = (layer + 1) / layers
        near = mix(mix(palette[3], palette[1], depth * 1.3), palette[0], depth**1.6)
        mist = mix(near, palette[3], 0.5 * (1 - depth))
        base = height * (0.4 + 0.48 * depth)
        ridge = _ridge(base, rough * (1.2 - 0.7 * depth), rng)
        slope = _gradient(size, (near, mist), base, base + height * 0.25)
        image.paste(slope, mask=_area_below(ridge, size))
    shade = Image.radial_gradient("L").resize(size)
    shade = shade.point([round(255 - 70 * (v / 255) ** 3) for v in range(256)])
    return ImageChops.multiply(image, shade.convert("RGB"))


def _gradient(size: Size, colors: Palette, top: float, bottom: float) -> Image.Image:
    stops = Image.new("RGB", (1, len(colors)))
    for y, color in enumerate(colors):
        stops.putpixel((0, y), color)
    column = Image.new("RGB", (1, size[1]), colors[-1])
    column.paste(colors[0], (0, 0, 1, round(top)))
    length = max(1, round(bottom - top))
    column.paste(stops.resize((1, length), Resampling.BICUBIC), (0, round(top)))
    return column.resize(size, Resampling.NEAREST)


def _add_sun(image: Image.Image, color: Color, rng: random.Random) -> None:
    x, y = image.width * rng.uniform(0.2, 0.8), image.height * rng.uniform(0.2, 0.42)
    radius = max(1, round(min(image.size) * rng.uniform(0.05, 0.11)))
    # Pillow's radial gradient is 181 at the middle of each edge, and 255 in the
    # corners.
    halo = [round(170 * max(0, 1 - v / 180) ** 2) for v in range(256)]
    disc = [min(255, max(0, (180 - v) * radius)) for v in range(256)]
    for half, table in ((radius * 5, halo), (radius, disc)):
        mask = Image.radial_gradient("L").resize((half * 2, half * 2)).point(table)
        light = Image.new("RGB", mask.size, color)
        image.paste(light, (round(x) - half, round(y) - half), mask)


def _ridge(base: float, rough: float, rng: random.Random) -> list[float]:
    line = [base + rng.uniform(-rough, rough), base + rng.uniform(-rough, rough)]
    while len(line) <= 128:
        rough *= 0.52
        finer = line[:1]
        for left, right in pairwise(line):
            finer += [(left + right) / 2 + rng.uniform(-rough, rough), right]
        line = finer
    return line


def _area_below(line: list[float], size: Size) -> Image.Image:
    # Draw at double size to smooth the edge.
    width, height = size[0] * 2, size[1] * 2
    points = [(width * at / (len(line) - 1), y * 2) for at, y in enumerate(line)]
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).polygon([(0, height), *points, (width, height)], fill=255)
    return mask.reduce(2)
