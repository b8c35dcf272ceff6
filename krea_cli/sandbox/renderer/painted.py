"""
Styles that redraw a picture by hand, so to speak: paint, pencil, print.

Each takes an RGB picture and a random generator and gives a picture of the same size.
"""

from __future__ import annotations

import random

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps
from PIL.Image import Resampling

from krea_cli.sandbox.renderer import surfaces, textures

_POP = (
    ((38, 22, 92), (236, 38, 128), (255, 205, 40), (255, 246, 214)),
    ((10, 58, 84), (0, 158, 170), (250, 112, 90), (255, 236, 190)),
    ((70, 12, 72), (240, 78, 40), (120, 210, 190), (250, 250, 220)),
    ((16, 30, 70), (70, 90, 220), (255, 150, 190), (230, 250, 120)),
)


def watercolour(image: Image.Image, rng: random.Random) -> Image.Image:
    unit = _unit(image)
    washes = _smoothed(image)
    flat = ImageOps.posterize(washes, 3).filter(ImageFilter.BoxBlur(unit * 1.5))
    paint = ImageEnhance.Color(Image.blend(washes, flat, 0.45)).enhance(1.45)
    paint = paint.point(
        textures.curve([(0, 44), (90, 128), (200, 232), (255, 255)]) * 3
    )
    # Pigment gathers where a wash ends, and more in some places than in others.
    rims = textures.levels(textures.outlines(washes, width=unit * 2.5), 110, 255)
    clouds = textures.levels(textures.noise(image.size, rng, grain=unit * 60), 90, 190)
    paint = ImageChops.soft_light(ImageChops.multiply(paint, rims), clouds)
    paper = surfaces.paper(image.size, rng, grain=unit * 2.2)
    painted = surfaces.brushed(image.size, rng, margin=unit * 34)
    return Image.composite(ImageChops.multiply(paint, paper), paper, painted)


def oil(image: Image.Image, rng: random.Random) -> Image.Image:
    unit = _unit(image)
    daubs = _daubs(ImageEnhance.Color(_small(image, 480)).enhance(1.35))
    paint = daubs.resize(image.size, Resampling.BICUBIC)
    # The brush leaves ridges: light falls on them from the upper left.
    bristles = surfaces.strokes(image.size, rng, length=unit * 22, width=unit * 3)
    detail = paint.convert("L").filter(ImageFilter.UnsharpMask(unit * 2, 80, 0))
    relief = ImageChops.overlay(detail, bristles).filter(ImageFilter.EMBOSS)
    lit = ImageChops.soft_light(paint, relief.convert("RGB"))
    return textures.vignette(lit, 0.25)


def sketch(image: Image.Image, rng: random.Random) -> Image.Image:
    unit = _unit(image)
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    lines = textures.outlines(image, width=unit * 1.2)
    contours = textures.outlines(image, width=unit * 3)
    lead = ImageChops.multiply(
        lines, contours.point([120 + v * 135 // 255 for v in range(256)])
    )
    # Darker parts are hatched, twice and across where it is darkest.
    for below, angle in ((150, 45), (80, -40)):
        depth = grey.point([max(0, below - v) * 230 // below for v in range(256)])
        hatch = surfaces.strokes(
            image.size, rng, length=unit * 26, width=unit * 1.6, angle=angle
        )
        hatch = hatch.point(textures.curve([(0, 0), (105, 30), (150, 255), (255, 255)]))
        lead = Image.composite(ImageChops.multiply(lead, hatch), lead, depth)
    graphite = ImageOps.colorize(lead, (52, 50, 58), (255, 255, 255))
    return ImageChops.multiply(
        graphite, surfaces.paper(image.size, rng, grain=unit * 2.2)
    )


def comic(image: Image.Image, rng: random.Random) -> Image.Image:  # noqa: ARG001
    unit = _unit(image)
    flat = ImageOps.autocontrast(_smoothed(image), cutoff=1)
    flat = ImageEnhance.Color(flat).enhance(1.7)
    inks = ImageOps.posterize(flat, 2).filter(ImageFilter.BoxBlur(unit * 0.8))
    colours = Image.blend(flat, inks, 0.6).point(
        textures.curve([(0, 26), (255, 255)]) * 3
    )
    dots = surfaces.halftone(flat.convert("L"), pitch=max(4, round(unit * 7)))
    shaded = ImageChops.multiply(colours, textures.levels(dots, 165, 255))
    ink = textures.outlines(image, width=unit * 2.4)
    ink = ink.point(textures.curve([(0, 0), (110, 0), (190, 255), (255, 255)]))
    return ImageChops.multiply(shaded, ink.convert("RGB"))


def pop_art(image: Image.Image, rng: random.Random) -> Image.Image:
    width, height = image.size
    tile = image.resize(((width + 1) // 2, (height + 1) // 2), Resampling.LANCZOS)
    grey = tile.convert("L").filter(ImageFilter.MedianFilter(5))
    grey = ImageOps.autocontrast(grey, cutoff=2)
    inks = textures.outlines(tile, width=_unit(tile) * 1.6).convert("RGB")
    sheet = Image.new("RGB", image.size)
    for index, palette in enumerate(rng.sample(_POP, len(_POP))):
        bands = [palette[min(3, v * 4 // 256)] for v in range(256)]
        table = [colour[channel] for channel in range(3) for colour in bands]
        coloured = Image.merge("RGB", (grey, grey, grey)).point(table)
        place = (index % 2 * (width // 2), index // 2 * (height // 2))
        sheet.paste(ImageChops.multiply(coloured, inks), place)
    return sheet


def pixels(image: Image.Image, rng: random.Random) -> Image.Image:  # noqa: ARG001
    small = ImageOps.autocontrast(_small(image, 120), cutoff=1)
    vivid = ImageEnhance.Color(small).enhance(1.35)
    lines = textures.levels(textures.outlines(vivid, width=1), 90, 255)
    inked = ImageChops.multiply(vivid, lines)
    few = inked.quantize(28, dither=Image.Dither.NONE).convert("RGB")
    return few.resize(image.size, Resampling.NEAREST)


def _unit(image: Image.Image) -> float:
    """
    One pixel of a picture of 1000: what widths are given in, so that a style looks the
    same in each size.
    """
    return max(image.size) / 1000


def _small(image: Image.Image, longest: int) -> Image.Image:
    factor = min(1, longest / max(image.size))
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Resampling.BOX)


def _smoothed(image: Image.Image) -> Image.Image:
    """
    Flat areas with their edges kept.
    """
    small = _small(image, 420)
    for _ in range(2):
        small = small.filter(ImageFilter.MedianFilter(5))
    return small.resize(image.size, Resampling.BICUBIC)


def _daubs(image: Image.Image) -> Image.Image:
    """
    Few colours in rounded patches.  The mode is taken of palette indices: taken of each
    channel it would make colours that the picture does not have.
    """
    few = image.quantize(
        128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    indices = Image.frombytes("L", few.size, few.tobytes())
    patches = indices.filter(ImageFilter.ModeFilter(5))
    patches.putpalette(few.getpalette() or [])
    return patches.convert("RGB")
