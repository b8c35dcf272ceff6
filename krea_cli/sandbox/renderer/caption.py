"""
The band at the foot of each picture: that it is no real result, the prompt, the model.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

MARK = "SANDBOX"
_AMBER, _INK = (255, 190, 60), (24, 20, 12)
_PALE, _DIM = (245, 245, 248), (176, 178, 190)


def caption(image: Image.Image, prompt: str, model: str) -> Image.Image:
    """
    The picture with the band over its foot, for any text and any size; below about
    60 pixels the band is a plain stripe.
    """
    width, height = image.size
    unit = max(9, min(round((width * height) ** 0.5 / 52), width // 22, height // 9))
    band = min(height, unit * 4)
    foot = _frosted(image.crop((0, height - band, width, height)))
    if width >= 60 and band >= 36:
        _write(ImageDraw.Draw(foot), foot.size, unit, prompt, model)
    marked = image.copy()
    marked.paste(foot, (0, height - band))
    return marked


def _frosted(foot: Image.Image) -> Image.Image:
    """
    Dark, with the picture shining through; an amber line on top.
    """
    blurred = foot.filter(ImageFilter.BoxBlur(foot.height / 3))
    glass = ImageEnhance.Brightness(blurred).enhance(0.4)
    dark = Image.blend(glass, Image.new("RGB", foot.size, (16, 17, 22)), 0.62)
    line = max(1, foot.height // 32)
    ImageDraw.Draw(dark).rectangle((0, 0, foot.width, line - 1), fill=_AMBER)
    return dark


def _write(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], unit: int, prompt: str, model: str
) -> None:
    width, height = size
    margin, middle = unit, height / 2 + 1
    badge = _font(round(unit * 0.92))
    right = margin + draw.textlength(MARK, badge) + unit * 1.1
    draw.rounded_rectangle(
        (margin, middle - unit * 0.85, right, middle + unit * 0.85),
        unit * 0.3,
        fill=_AMBER,
    )
    draw.text(((margin + right) / 2, middle), MARK, _INK, badge, anchor="mm")
    left, room = right + unit * 0.9, float(width - margin)
    small = _font(round(unit * 0.78))
    name = _shortened(draw, readable(model, small), small, width * 0.3)
    if room - left > unit * 14:
        draw.text((room, middle), name, _DIM, small, anchor="rm")
        room -= draw.textlength(name, small) + unit * 1.2
    font = _font(unit)
    lines = _lines(draw, readable(prompt, font), font, room - left)
    for index, line in enumerate(lines):
        y = middle + unit * 1.35 * (index - (len(lines) - 1) / 2)
        draw.text((left, y), line, _PALE, font, anchor="lm")


def readable(text: str, font: Font) -> str:
    """
    The text on one line, in letters that the font has: "é" may become "e", a run of
    other script or emoji an ellipsis.
    """
    plain = unicodedata.normalize("NFC", " ".join(text[:2000].split()))
    shown = "".join(_nearest(font, character) for character in plain)
    dots = _dots(font)
    line = re.sub(r"\0[\0 ]*", f"{dots} ", shown).strip()
    return f"({len(text)} characters)" if line == dots else line


def _nearest(font: Font, character: str) -> str:
    if character == " " or _has_glyph(font, character):
        return character
    base = unicodedata.normalize("NFKD", character)[0]
    return base if _has_glyph(font, base) else "\0"


def _dots(font: Font) -> str:
    return "…" if _has_glyph(font, "…") else "..."


@lru_cache(maxsize=4096)
def _has_glyph(font: Font, character: str) -> bool:
    if not character.isprintable():
        return False
    if isinstance(font, ImageFont.FreeTypeFont):
        # A font draws the same box for everything it does not have.
        missing, drawn = font.getmask("\U0010ffff"), font.getmask(character)
        return bytes(drawn) != bytes(missing) or drawn.size != missing.size
    return character.isascii()


def _lines(draw: ImageDraw.ImageDraw, text: str, font: Font, room: float) -> list[str]:
    """
    The text in one line or two, the second shortened to the room that there is.
    """
    if draw.textlength(text, font) <= room:
        return [text]
    words = text.split(" ")
    first = next(
        (
            n
            for n in range(len(words), 0, -1)
            if draw.textlength(" ".join(words[:n]), font) <= room
        ),
        0,
    )
    if not first:
        return [_shortened(draw, text, font, room)]
    rest = " ".join(words[first:])
    return [" ".join(words[:first]), _shortened(draw, rest, font, room)]


def _shortened(draw: ImageDraw.ImageDraw, text: str, font: Font, room: float) -> str:
    if draw.textlength(text, font) <= room:
        return text
    dots, kept = _dots(font), text
    while kept and draw.textlength(kept + dots, font) > room:
        kept = kept[: min(len(kept) - 1, round(len(kept) * 0.9))]
    return kept.rstrip() + dots if kept else ""


@lru_cache(maxsize=32)
def _font(size: int) -> Font:
    try:
        return ImageFont.load_default(size)
    except (ImportError, OSError):  # this Pillow is without FreeType
        return ImageFont.load_default()
