"""
Draw a band with SANDBOX, the prompt and the model at the bottom of each image.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter, ImageFont

MARK = "SANDBOX"
_AMBER, _INK = (255, 190, 60), (24, 20, 12)
_PALE, _DIM = (245, 245, 248), (176, 178, 190)
_DOTS = "..."
Draw = ImageDraw.ImageDraw
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def add_caption(image: Image.Image, prompt: str, model: str) -> Image.Image:
    """
    Draw the band over the bottom of the image. Tiny images only get a plain stripe.
    """
    width, height = image.size
    unit = max(9, min(round((width * height) ** 0.5 / 52), width // 22, height // 9))
    band = min(height, unit * 4)
    foot = image.crop((0, height - band, width, height))
    glass = Image.new("RGB", foot.size, (14, 15, 19))
    foot = Image.blend(foot.filter(ImageFilter.BoxBlur(band / 3)), glass, 0.85)
    draw = ImageDraw.Draw(foot)
    draw.rectangle((0, 0, width, max(0, band // 32 - 1)), fill=_AMBER)
    if width >= 60 and band >= 36:
        _write(draw, unit, width, readable(prompt), readable(model))
    image.paste(foot, (0, height - band))
    return image


def _write(draw: Draw, unit: int, width: int, prompt: str, model: str) -> None:
    badge, small, font = map(_font, (unit * 0.92, unit * 0.78, unit))
    middle = unit * 2 + 1
    end = unit * 2.1 + draw.textlength(MARK, badge)
    box = (unit, middle - unit * 0.85, end, middle + unit * 0.85)
    draw.rounded_rectangle(box, unit * 0.3, fill=_AMBER)
    draw.text(((unit + end) / 2, middle), MARK, _INK, badge, anchor="mm")
    left, right = end + unit * 0.9, float(width - unit)
    if right - left > unit * 14:
        name = _shortened(draw, model, small, width * 0.3)
        draw.text((right, middle), name, _DIM, small, anchor="rm")
        right -= draw.textlength(name, small) + unit * 1.2
    prompt = _shortened(draw, prompt, font, right - left)
    draw.text((left, middle), prompt, _PALE, font, anchor="lm")


def readable(text: str) -> str:
    """
    Return the text in ASCII letters, which every font has, on one line.

    "é" becomes "e"; a run of other scripts or emoji becomes three dots.
    """
    letters = unicodedata.normalize("NFKD", " ".join(text[:2000].split()))
    plain = "".join(each for each in letters if not unicodedata.combining(each))
    line = re.sub(r"[^ -~]([^ -~]| )*", f"{_DOTS} ", plain).strip()
    return f"({len(text)} characters)" if line == _DOTS else line


def _shortened(draw: Draw, text: str, font: Font, room: float) -> str:
    kept = text
    while kept and draw.textlength(kept if kept == text else kept + _DOTS, font) > room:
        kept = kept[: min(len(kept) - 1, round(len(kept) * 0.9))]
    return kept if kept == text or not kept else kept.rstrip() + _DOTS


@lru_cache(maxsize=32)
def _font(size: float) -> Font:
    try:
        return ImageFont.load_default(size)
    except (ImportError, OSError):  # Pillow without FreeType
        return ImageFont.load_default()
