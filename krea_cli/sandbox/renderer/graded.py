"""
Styles that keep the drawing and change the light: night, sunset, snow, film.

Each takes an RGB picture and a random generator and gives a picture of the same size.
"""

from __future__ import annotations

import random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from PIL.Image import Resampling

from krea_cli.sandbox.renderer import textures

_DUOTONES = (
    ((24, 20, 78), (240, 70, 110), (255, 226, 168)),
    ((8, 44, 62), (0, 150, 140), (250, 240, 170)),
    ((48, 10, 66), (226, 72, 72), (255, 214, 130)),
    ((14, 22, 60), (76, 110, 230), (255, 206, 220)),
)


def night(image: Image.Image, rng: random.Random) -> Image.Image:
    unit = max(image.size) / 1000
    grey = image.convert("L").convert("RGB")
    dim = Image.blend(image, grey, 0.55)
    dim = dim.point(
        textures.curve([(0, 1), (110, 32), (200, 74), (255, 140)])
        + textures.curve([(0, 4), (110, 48), (200, 96), (255, 158)])
        + textures.curve([(0, 20), (110, 88), (200, 142), (255, 200)])
    )
    warm = ImageChops.multiply(image, Image.new("RGB", image.size, (255, 196, 120)))
    lamps = image.convert("L").point(
        textures.curve([(0, 0), (190, 0), (250, 130), (255, 140)])
    )
    lit = textures.bloom(Image.composite(warm, dim, lamps), radius=unit * 26, above=130)
    moon = textures.corners(
        image.size, ((10, 14, 30), (58, 74, 108), (0, 0, 6), (6, 8, 20))
    )
    return textures.vignette(
        textures.grained(ImageChops.screen(lit, moon), rng, 10), 0.55
    )


def golden(image: Image.Image, rng: random.Random) -> Image.Image:  # noqa: ARG001
    unit = max(image.size) / 1000
    warm = image.point(
        textures.curve([(0, 26), (110, 140), (255, 255)])
        + textures.curve([(0, 10), (128, 116), (255, 238)])
        + textures.curve([(0, 30), (128, 84), (255, 186)])
    )
    warm = ImageEnhance.Color(warm).enhance(1.2)
    sun = textures.corners(
        image.size, ((255, 150, 50), (110, 40, 60), (120, 50, 20), (10, 0, 40))
    )
    lit = ImageChops.screen(warm, sun.point([v * 6 // 10 for v in range(256)] * 3))
    return textures.vignette(textures.bloom(lit, radius=unit * 40, above=165), 0.3)


def snow(image: Image.Image, rng: random.Random) -> Image.Image:
    unit = max(image.size) / 1000
    cold = Image.blend(image, image.convert("L").convert("RGB"), 0.5)
    cold = cold.point(
        textures.curve([(0, 20), (128, 124), (255, 244)])
        + textures.curve([(0, 30), (128, 138), (255, 250)])
        + textures.curve([(0, 46), (128, 162), (255, 255)])
    )
    haze = textures.downward(
        image.size, ((150, 164, 184), (60, 66, 76), (96, 104, 116))
    )
    cold = ImageChops.screen(cold, haze.point([v // 2 for v in range(256)] * 3))
    for count, radius, blur in ((420, 1.6, 0.6), (150, 3.4, 1.4), (34, 8, 4)):
        flakes = Image.new("L", image.size)
        draw = ImageDraw.Draw(flakes)
        for _ in range(count):
            x, y = rng.random() * image.width, rng.random() * image.height
            r = unit * radius * rng.uniform(0.6, 1.3)
            draw.ellipse((x - r, y - r, x + r, y + r), fill=rng.randint(150, 245))
        flakes = flakes.filter(ImageFilter.GaussianBlur(unit * blur))
        cold = ImageChops.screen(cold, flakes.convert("RGB"))
    return cold


def vintage(image: Image.Image, rng: random.Random) -> Image.Image:
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    toned = ImageOps.colorize(grey, (44, 28, 20), (252, 236, 206), mid=(158, 118, 80))
    faded = Image.blend(toned, image, 0.14)
    leak = textures.corners(
        image.size, ((150, 50, 10), (0, 0, 0), (90, 30, 10), (30, 8, 0))
    )
    lit = ImageChops.screen(faded, leak.point([v * 6 // 10 for v in range(256)] * 3))
    return textures.vignette(textures.grained(lit, rng, 26), 0.5)


def noir(image: Image.Image, rng: random.Random) -> Image.Image:
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=2)
    grey = grey.point(
        textures.curve([(0, 4), (60, 34), (128, 128), (200, 222), (255, 252)])
    )
    crisp = grey.filter(ImageFilter.UnsharpMask(max(image.size) / 60, 45, 0))
    return textures.vignette(textures.grained(crisp.convert("RGB"), rng, 22), 0.45)


def neon(image: Image.Image, rng: random.Random) -> Image.Image:
    unit = max(image.size) / 1000
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    base = ImageOps.colorize(grey, (8, 2, 26), (236, 190, 255), mid=(104, 34, 150))
    tint = textures.corners(
        image.size, ((0, 60, 110), (120, 0, 90), (90, 0, 120), (0, 70, 90))
    )
    base = Image.blend(base, ImageChops.overlay(base, tint), 0.45)
    edges = ImageOps.invert(textures.outlines(image, width=unit * 2.2))
    tubes = textures.corners(
        image.size, ((0, 240, 255), (255, 40, 200), (255, 60, 160), (60, 255, 230))
    )
    light = ImageChops.multiply(tubes, edges.convert("RGB"))
    for radius in (unit * 3, unit * 12, unit * 30):
        base = ImageChops.screen(base, light.filter(ImageFilter.BoxBlur(radius)))
    rows = b"\xff\xff\xd6\xd6" * (image.height // 4 + 1)
    screen = Image.frombytes("L", (1, image.height), rows[: image.height])
    screen = screen.resize(image.size, Resampling.NEAREST)
    lit = ImageChops.screen(base, light)
    lit = ImageChops.multiply(lit, screen.convert("RGB"))
    return textures.vignette(textures.grained(lit, rng, 12), 0.4)


def duotone(image: Image.Image, rng: random.Random) -> Image.Image:
    dark, middle, light = rng.choice(_DUOTONES)
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    toned = ImageOps.colorize(grey, dark, light, mid=middle)
    return textures.grained(toned, rng, 14)
