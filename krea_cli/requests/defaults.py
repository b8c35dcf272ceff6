"""
Choose values for fields that the user did not set.

These are fields that follow from the first image, the smallest resolution if one is
required, and the mode that fits the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from krea_cli.catalog.model import Model
from krea_cli.catalog.validation import find_violations

# The API's default is 0.99, which almost ignores the image.
KREA_2_STRENGTH = 0.6

_MODE = "input_mode"

Size = tuple[int, int]


class AutomaticValue(NamedTuple):
    """
    A field value that krea chose, and the reason.
    """

    field: str
    value: Any
    reason: str


def choose_defaults(
    model: Model, fields: Mapping[str, Any], size: Size | None
) -> list[AutomaticValue]:
    """
    Return values to add to `fields`. The model accepts all of them.

    `size` is the size of the first image in pixels, if known.
    """
    missing = [name for name in model.required if name not in fields]
    chosen = [_chosen(name, model, fields, size) for name in missing]
    is_edit = model.path.startswith("image/krea/krea-2/") and fields.get("image_url")
    if is_edit and "strength" in model.fields.keys() - fields.keys():
        reason = "Krea's default of 0.99 almost ignores the image"
        chosen.append(AutomaticValue("strength", KREA_2_STRENGTH, reason))
    chosen.append(_input_mode(model, fields))
    return [
        choice
        for choice in chosen
        if choice and not find_violations(model.fields[choice.field], choice.value)
    ]


def _input_mode(model: Model, fields: Mapping[str, Any]) -> AutomaticValue | None:
    """
    Return the mode for models that accept a prompt or an image and need to know which.
    """
    schema = model.fields.get(_MODE, {})
    given = next((each for each in model.media_fields if fields.get(each.name)), None)
    mode, reason = "text", "only a prompt is given"
    if given is not None:
        mode, reason = given.media, f"{given.name} is set"
    is_needed = schema.get("default") != mode and mode in schema.get("enum", ())
    if _MODE in fields or not is_needed or not (given or fields.get("prompt")):
        return None
    return AutomaticValue(_MODE, mode, reason)


def automatic_fields(model: Model) -> set[str]:
    """
    Return the required fields that the user may omit if there is an input.
    """
    size = (1024, 1024) if model.takes_image else None
    return {choice.field for choice in choose_defaults(model, {}, size)}


def _chosen(
    name: str, model: Model, fields: Mapping[str, Any], size: Size | None
) -> AutomaticValue | None:
    options = [str(option) for option in model.fields[name].get("enum", ())]
    if name == "resolution" and options:
        smallest = min(options, key=_pixels)
        return AutomaticValue(name, smallest, "the smallest; this model requires one")
    if size is None:
        return None
    width, height = size
    if name == "aspect_ratio" and options:
        ratio = min(options, key=lambda option: _distance(option, width / height))
        return AutomaticValue(name, ratio, f"closest to the image, {width}x{height}")
    if name == "width":
        return _side(name, "height", model, fields, (width, height))
    if name == "height":
        return _side(name, "width", model, fields, (height, width))
    return None


def _side(
    name: str, other: str, model: Model, fields: Mapping[str, Any], size: Size
) -> AutomaticValue:
    """
    Choose the length of one side of the result. `size` has this side first.

    If the other side is given, the image's aspect ratio is kept. Otherwise both sides
    are those of the image (twice as long for enhancers), scaled into the allowed range.
    """
    ranges = [_range(model.fields.get(side, {})) for side in (name, other)]
    given = fields.get(other)
    if isinstance(given, int | float) and 0 < given < math.inf:
        factor, reason = given / size[1], "keeps the image's aspect ratio"
    else:
        factor = usual = 2.0 if model.kind == "enhance" else 1.0
        pairs = list(zip(ranges, size, strict=True))
        factor = min(factor, *(maximum / side for (_, maximum), side in pairs))
        factor = max(factor, *(minimum / side for (minimum, _), side in pairs))
        reason = "twice the image's" if model.kind == "enhance" else "same as the image"
        if factor != usual:
            reason += ", limited to the model's range"
    minimum, maximum = ranges[0]
    return AutomaticValue(
        name, int(min(max(round(size[0] * factor), minimum), maximum)), reason
    )


def _range(schema: Mapping[str, Any]) -> tuple[int, float]:
    return math.ceil(max(1, schema.get("minimum", 1))), schema.get("maximum", math.inf)


def _distance(option: str, ratio: float) -> float:
    """
    Return how far an allowed ratio is from the image's. Text values are farthest.
    """
    width, _, height = option.partition(":")
    try:
        return abs(math.log(float(width) / float(height) / ratio))
    except (ValueError, ZeroDivisionError):
        return math.inf


def _pixels(resolution: str) -> float:
    """
    Return a number that orders resolutions: 480p, 720p, 1K, 2K, then text values.
    """
    digits = resolution.rstrip("kKpP")
    try:
        return float(digits) * (1000 if resolution[-1] in "kK" else 1)
    except ValueError:
        return math.inf
