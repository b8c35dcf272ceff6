"""
Edit an input image: make it a watercolor in the colors of the prompt.
"""

from __future__ import annotations

import random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from PIL.Image import Resampling

from krea_cli.sandbox.renderer.landscape import Palette, mix
from krea_cli.sandbox.sizes import Size

# Compute washes at this size: blurs are faster there, and paint shows no detail.
_WASH_SIDE = 280


def watercolor(
    picture: Image.Image, palette: Palette, rng: random.Random
) -> Image.Image:
    """
    Repaint the image, with some colors of the palette mixed in.
    """
    unit, size = max(picture.size) / 1000, picture.size
    paint = _toned(_washes(picture), palette)
    # Pigment gathers at the edges of a wash, unevenly.
    paint = ImageChops.multiply(paint, _edges(picture, unit))
    clouds = _noise(size, rng, unit * 60, 96, 176)
    paint = ImageChops.soft_light(paint, clouds.convert("RGB"))
    fibres = _noise(size, rng, unit * 4, 64, 192).filter(ImageFilter.EMBOSS)
    tooth = fibres.point([min(255, 200 + v * 55 // 128) for v in range(256)])
    paper = ImageOps.colorize(tooth, "black", (255, 251, 243))
    painted = _painted_area(size, rng, unit * 30)
    return Image.composite(ImageChops.multiply(paint, paper), paper, painted)


def _washes(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((_WASH_SIDE, _WASH_SIDE), Resampling.BOX)
    wash = small.filter(ImageFilter.MedianFilter(5))
    flat = ImageOps.posterize(wash, 3).filter(ImageFilter.BoxBlur(1))
    return Image.blend(wash, flat, 0.6).resize(picture.size, Resampling.BICUBIC)


def _toned(paint: Image.Image, palette: Palette) -> Image.Image:
    light = min(1.0, sum(palette[3]) / 500)
    white = mix(palette[4], palette[3], 1.3 - light)
    grey = ImageOps.autocontrast(paint.convert("L"), cutoff=1)
    toned = ImageOps.colorize(grey, palette[0], white, mid=palette[2])
    paint = Image.blend(ImageEnhance.Color(paint).enhance(1.5), toned, 1.55 - light)
    # Thin paint shows the paper, even in dark areas.
    return paint.point([round(36 + v * light * 219 / 255) for v in range(256)] * 3)


def _edges(picture: Image.Image, unit: float) -> Image.Image:
    grey = picture.convert("L").filter(ImageFilter.BoxBlur(unit))
    around = grey.filter(ImageFilter.BoxBlur(unit * 3))
    lines = ImageChops.subtract(around, grey, scale=0.2)
    return lines.point([255 - v * 150 // 255 for v in range(256)]).convert("RGB")


def _noise(
    size: Size, rng: random.Random, grain: float, low: int, high: int
) -> Image.Image:
    width, height = (max(2, round(side / max(1, grain))) for side in size)
    grains = Image.frombytes("L", (width, height), rng.randbytes(width * height))
    grains = grains.point([low + v * (high - low) // 255 for v in range(256)])
    return grains.resize(size, Resampling.BILINEAR)


def _painted_area(size: Size, rng: random.Random, margin: float) -> Image.Image:
    inside = Image.new("L", size)
    box = (margin, margin, max(margin, size[0] - margin), max(margin, size[1] - margin))
    ImageDraw.Draw(inside).rectangle(box, fill=255)
    inside = inside.filter(ImageFilter.BoxBlur(margin / 1.2))
    coarse, fine = (_noise(size, rng, margin / part, 50, 255) for part in (1, 4))
    ragged = ImageChops.add(inside, Image.blend(coarse, fine, 0.3), scale=2)
    return ragged.point([min(255, max(0, (v - 128) * 8)) for v in range(256)])
