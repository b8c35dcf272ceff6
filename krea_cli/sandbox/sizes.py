"""
Determine the size of a result from the request and its input image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from krea_cli.sandbox import MAX_RESULT_SIDE

USUAL = 1024

Size = tuple[int, int]

_RATIO = re.compile(r"(\d{1,4}(?:\.\d{1,4})?):(\d{1,4}(?:\.\d{1,4})?)")
_SCALE = re.compile(r"(\d{1,5})(k|p)?", re.IGNORECASE)


def output_size(
    fields: Mapping[str, Any], given: Size | None, *, enlarges: bool
) -> Size:
    """
    Return the requested width and height in pixels, at most `MAX_RESULT_SIDE` each.

    `given` is the size of the first input image, if any. If the model `enlarges`, that
    size is multiplied.
    """
    width = _number(fields, "width", "target_width")
    height = _number(fields, "height", "target_height")
    if width and height:
        return _capped(width, height)
    ratio = _ratio(fields, given)
    if width or height:
        return _capped(width or height * ratio, height or width / ratio)
    if enlarges and given:
        factor = _number(fields, "image_scaling_factor", "upscale_factor") or 2.0
        return _capped(given[0] * factor, given[1] * factor)
    exact = _RATIO.fullmatch(str(fields.get("ratio") or fields.get("aspect_ratio")))
    if exact and min(float(exact[1]), float(exact[2])) > 100:
        return _capped(float(exact[1]), float(exact[2]))
    return _of_ratio(ratio, str(fields.get("resolution", "")))


def _of_ratio(ratio: float, resolution: str) -> Size:
    """
    Return the size for an aspect ratio and a resolution.

    "1K" sets the longer side, "720p" the shorter one.
    """
    scale = _SCALE.fullmatch(resolution)
    unit = (scale[2] or "").lower() if scale else ""
    number = float(scale[1]) if scale else USUAL
    longer = number * 1024 if unit == "k" else number
    if unit == "p":
        longer = number * max(ratio, 1 / ratio)
    longer = min(max(longer, 256), MAX_RESULT_SIDE)
    return _capped(
        *((longer, longer / ratio) if ratio >= 1 else (longer * ratio, longer))
    )


def _ratio(fields: Mapping[str, Any], given: Size | None) -> float:
    for name in ("aspect_ratio", "ratio"):
        match = _RATIO.fullmatch(str(fields.get(name)))
        if match and float(match[1]) and float(match[2]):
            return float(match[1]) / float(match[2])
    return given[0] / given[1] if given else 1.0


def _number(fields: Mapping[str, Any], *names: str) -> float:
    """
    Return the value of the first field that is a number above 0, or 0.
    """
    for name in names:
        value = fields.get(name)
        if isinstance(value, int | float) and value > 0:
            return float(min(value, 1e6))
    return 0.0


def _capped(width: float, height: float) -> Size:
    shrink = min(1.0, MAX_RESULT_SIDE / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))
