"""
How a cube with a picture on its faces looks: the preview of a 3D result.
"""

from __future__ import annotations

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps
from PIL.Image import Resampling, Transform

from krea_cli.sandbox.renderer import textures

# Where the corners of each visible face lie, as parts of the frame: upper left, upper
# right, lower left; and how much light falls on it.
_FACES = (
    ((0.5, 0.10), (0.85, 0.29), (0.15, 0.29), 1.12),
    ((0.15, 0.29), (0.5, 0.48), (0.15, 0.71), 0.92),
    ((0.5, 0.48), (0.85, 0.29), (0.5, 0.90), 0.66),
)


def cube(picture: Image.Image, side: int) -> Image.Image:
    """
    A square frame of *side* pixels with the cube in the middle.
    """
    big = side * 2
    face = ImageOps.fit(picture, (side, side), Resampling.LANCZOS)
    mean = face.resize((1, 1), Resampling.BOX).resize((side, side))
    ground = ImageEnhance.Brightness(mean).enhance(0.28)
    light = textures.glow((side, side)).point([v * 5 // 10 for v in range(256)])
    image = ImageChops.screen(ground, light.convert("RGB")).resize((big, big))
    image.paste((0, 0, 0), mask=_shadow(big))
    for *corners, brightness in _FACES:
        shaded = ImageEnhance.Brightness(face).enhance(brightness)
        table = _into_face([(x * big, y * big) for x, y in corners], side)
        placed = shaded.convert("RGBA").transform(
            (big, big), Transform.AFFINE, table, Resampling.BICUBIC
        )
        image.paste(placed, mask=placed.getchannel("A"))
    return image.reduce(2)


def _shadow(side: int) -> Image.Image:
    spot = textures.glow((round(side * 0.9), round(side * 0.4)))
    shadow = Image.new("L", (side, side))
    shadow.paste(spot, (round(side * 0.05), round(side * 0.66)))
    return shadow.filter(ImageFilter.BoxBlur(side / 60))


def _into_face(corners: list[tuple[float, float]], side: int) -> tuple[float, ...]:
    """
    From a place in the frame to the place on the face: what `AFFINE` wants.
    """
    (x0, y0), (x1, y1), (x2, y2) = corners
    ax, ay, bx, by = x1 - x0, y1 - y0, x2 - x0, y2 - y0
    area = (ax * by - ay * bx) / side
    a, b, d, e = by / area, -bx / area, -ay / area, ax / area
    return a, b, -(a * x0 + b * y0), d, e, -(d * x0 + e * y0)
