"""
What a request costs, by the price points that the service publishes.

A price point names its dimensions ("resolution", "referenceImageCount"); an estimate is
made only when the request says, or the schema's default says, where it lies in each of
them.  What is not known is None, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from krea_cli.catalog.model import Model, snake_case

Body = Mapping[str, Any]


def estimate(model: Model, body: Body) -> float | None:
    """
    USD for one request of *body*, None when it is not known.  Of the price points that
    fit, the one that says most counts, and of those that say as much the dearest.
    """
    fitting = [
        point
        for point in model.prices
        if all(
            _value(name, model, body) == wanted
            for name, wanted in point.dimensions.items()
        )
    ]
    ranked = [(len(point.dimensions), point.amount) for point in fitting]
    return max(ranked)[1] if ranked else None


def _value(dimension: str, model: Model, body: Body) -> Any:
    """
    Where a request lies in a dimension, None when it does not say so.
    """
    if derive := _DERIVED.get(dimension):
        return derive(model, body)
    # Dimensions are in camelCase, fields no longer are.
    return _told(snake_case(dimension), model, body)


def _told(name: str, model: Model, body: Body) -> Any:
    return body.get(name, model.fields.get(name, {}).get("default"))


def _resolution(model: Model, body: Body) -> Any:
    # Pixels may count instead of the resolution, and where 2K begins is not published.
    if "width" in body or "height" in body:
        return None
    return _told("resolution", model, body)


def _tier(_: Model, body: Body) -> str:
    if body.get("moodboards"):
        return "moodboards"
    return "srefs" if body.get("image_style_references") else "text-to-image"


def _references(model: Model, body: Body) -> int:
    media = [field.name for field in model.media_fields if field.media == "image"]
    given = [body.get(name) for name in media]
    return sum(len(value) if isinstance(value, list) else 1 for value in given if value)


def _has_characters(_: Model, body: Body) -> bool:
    return bool(body.get("character_reference_images"))


# Dimensions that are no field of the request, or not that alone.  One that is neither
# here nor a field, as "resolutionTier", whose borders are not published, leaves the
# price unknown.
_DERIVED: dict[str, Callable[[Model, Body], Any]] = {
    "k2BillingTier": _tier,
    "referenceImageCount": _references,
    "hasCharacterRefs": _has_characters,
    "resolution": _resolution,
}
