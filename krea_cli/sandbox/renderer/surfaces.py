"""
What pictures are painted and printed on, and with: paper, strokes, dots.

Widths are in pixels.  Everything random comes from the generator given.
"""

from __future__ import annotations

import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter
from PIL.Image import Resampling

from krea_cli.sandbox.renderer import textures
from krea_cli.sandbox.renderer.textures import Size


def paper(size: Size, rng: random.Random, *, grain: float) -> Image.Image:
    """
    Off-white paper with a tooth, as RGB.
    """
    fibres = textures.noise(size, rng, grain=max(1, grain))
    relief = fibres.filter(ImageFilter.GaussianBlur(grain / 2))
    tooth = textures.levels(relief.filter(ImageFilter.EMBOSS), 214, 270)
    return ImageChops.multiply(tooth, Image.new("RGB", size, (255, 251, 243)))


def brushed(size: Size, rng: random.Random, *, margin: float) -> Image.Image:
    """
    A mask, white where there is paint: all but a ragged margin.
    """
    box = (margin, margin, size[0] - margin, size[1] - margin)
    if box[0] >= box[2] or box[1] >= box[3]:
        return Image.new("L", size, 255)
    inside = Image.new("L", size, 0)
    ImageDraw.Draw(inside).rectangle(box, fill=255)
    inside = inside.filter(ImageFilter.BoxBlur(margin / 1.2))
    ragged = Image.blend(
        textures.noise(size, rng, grain=margin),
        textures.noise(size, rng, grain=margin / 4),
        0.3,
    )
    ragged = ragged.point([50 + v * 205 // 255 for v in range(256)])
    mixed = ImageChops.add(inside, ragged, scale=2)
    return mixed.point([min(255, max(0, (v - 128) * 8)) for v in range(256)])


def strokes(
    size: Size, rng: random.Random, *, length: float, width: float, angle: int = 45
) -> Image.Image:
    """
    Grey noise drawn out into strokes of one direction.
    """
    side = round((size[0] ** 2 + size[1] ** 2) ** 0.5) + 2
    grains = max(2, round(side / length)), max(2, round(side / width))
    noise = Image.frombytes("L", grains, rng.randbytes(grains[0] * grains[1]))
    noise = noise.resize((side, side), Resampling.BILINEAR)
    turned = noise.rotate(angle, Resampling.BILINEAR)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    return turned.crop((left, top, left + size[0], top + size[1]))


def halftone(grey: Image.Image, *, pitch: int) -> Image.Image:
    """
    Black dots on white, larger where the picture is darker.
    """
    spot = Image.radial_gradient("L").resize((pitch, pitch), Resampling.BOX)
    row = Image.new("L", (grey.width + 2 * pitch, pitch))
    for left in range(0, row.width, pitch):
        row.paste(spot, (left, 0))
    screen = Image.new("L", grey.size)
    for index, top in enumerate(range(0, grey.height, pitch)):
        screen.paste(row, (-(pitch // 2) * (index % 2), top))
    # A pixel is ink when it is darker than its place in the dot asks for.
    ink = ImageChops.add(grey, screen, offset=-150)
    return ink.point([min(255, v * 6) for v in range(256)])
