"""
Estimate the price of a request from the published price points.

A price point has dimensions such as "resolution" or "referenceImageCount". If neither
the request nor its schema determines one of them, the price is a range. An unknown
price is None, never 0. An estimate is never lower than the published price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, NamedTuple

from krea_cli.catalog.json_schema import Schema, forms, types
from krea_cli.catalog.model import MediaField, Model, snake_case

Body = Mapping[str, Any]

# Requests with more combinations of dimensions than this are not priced.
_MAX_WAYS = 10_000
_SECONDS = ("duration", "seconds", "duration_seconds")


class PriceRange(NamedTuple):
    """
    The lowest and the highest possible price of a request in USD.
    """

    low: float
    high: float

    def times(self, count: float) -> PriceRange:
        return PriceRange(round(self.low * count, 6), round(self.high * count, 6))


class _Values(NamedTuple):
    """
    The values that a request can have in a dimension.

    If `is_open`, any value that occurs in the price points is possible as well.
    """

    known: tuple[Any, ...] = ()
    is_open: bool = False


_OPEN = _Values(is_open=True)
_OTHER = object()


def estimate(model: Model, body: Body) -> PriceRange | None:
    """
    Return the price in USD of one request with this body, or None if unknown.

    If several price points match, the most expensive one counts.
    """
    names = list(dict.fromkeys(name for p in model.prices for name in p.dimensions))
    values = [_candidates(name, model, body) for name in names]
    if not model.prices or None in values:
        return None
    ways = list(islice(product(*[each or () for each in values]), _MAX_WAYS + 1))
    if len(ways) > _MAX_WAYS:
        return None
    amounts: list[float] = []
    for way in ways:
        place = dict(zip(names, way, strict=True))
        fitting = [
            point.amount
            for point in model.prices
            if all(_same(place[k], wanted) for k, wanted in point.dimensions.items())
        ]
        if not fitting:
            return None
        amounts.append(max(fitting))
    if model.price_unit == "second":
        return _by_the_second(model, body, amounts)
    return PriceRange(min(amounts), max(amounts))


def _by_the_second(
    model: Model, body: Body, amounts: Sequence[float]
) -> PriceRange | None:
    seconds = _seconds(model, body)
    numbers = [_number(each) for each in seconds.known]
    lengths = [each for each in numbers if each is not None]
    if seconds.is_open or not lengths or len(lengths) < len(numbers):
        return None
    low, high = min(amounts) * min(lengths), max(amounts) * max(lengths)
    return PriceRange(round(low, 6), round(high, 6))


def _candidates(dimension: str, model: Model, body: Body) -> Sequence[Any] | None:
    """
    Return all values that the request can have in a dimension.

    Return None if it can have values without a published price.
    """
    values = _values(dimension, model, body)
    if not values.is_open:
        return values.known
    if model.prices_incomplete:
        return None
    return _priced_values(dimension, model)


def _priced_values(dimension: str, model: Model) -> list[Any]:
    found: list[Any] = []
    for point in model.prices:
        # A point without this dimension covers the values that no other point names.
        value = point.dimensions.get(dimension, _OTHER)
        if value is not None and not any(_same(value, each) for each in found):
            found.append(value)
    return found


def _values(dimension: str, model: Model, body: Body) -> _Values:
    if derive := _DERIVED.get(dimension):
        return derive(model, body)
    # Dimensions are in camelCase, fields are in snake_case.
    name = snake_case(dimension)
    values = _field_values(name, model, body)
    if name in model.fields or not values.is_open:
        return values
    priced = _priced_values(dimension, model)
    if dimension.endswith("Count") and all(map(_is_number, priced)):
        return _Values((0,))
    return values


def _field_values(name: str, model: Model, body: Body) -> _Values:
    """
    Return the value in the request, else the default, else all allowed values.
    """
    if body.get(name) is not None:
        return _Values((body[name],))
    schema = model.fields.get(name)
    if schema is None:
        return _OPEN
    if schema.get("default") is not None:
        return _Values((schema["default"],))
    kinds = {kind for form in forms(schema) for kind in types(form)}
    if "boolean" in kinds:
        return _Values((False,))
    if name.endswith("_count"):
        return _Values((0,))
    allowed = _allowed(schema)
    return _Values(tuple(allowed)) if allowed else _OPEN


def _allowed(schema: Schema) -> list[Any]:
    """
    Return the values listed by a schema, if it lists any.
    """
    if "enum" in schema:
        return [value for value in schema["enum"] if value is not None]
    if "const" in schema:
        return [schema["const"]]
    found: list[Any] = []
    for form in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if types(form) == ("null",):
            continue
        values = _allowed(form)
        if not values:
            return []
        found += values
    return found


def _resolution(model: Model, body: Body) -> _Values:
    # The size in pixels may decide instead of the resolution, and the limits are
    # unpublished.
    if body.get("width") is not None or body.get("height") is not None:
        return _OPEN
    return _field_values("resolution", model, body)


def _tier(_: Model, body: Body) -> _Values:
    if body.get("moodboards"):
        return _Values(("moodboards",))
    tier = "srefs" if body.get("image_style_references") else "text-to-image"
    return _Values((tier,))


def _references(media: str) -> Callable[[Model, Body], _Values]:
    def count(model: Model, body: Body) -> _Values:
        given = [body.get(field.name) for field in _reference_fields(model, media)]
        counts = [len(each) if isinstance(each, list) else 1 for each in given if each]
        return _Values((sum(counts),))

    return count


def _reference_fields(model: Model, media: str) -> Iterator[MediaField]:
    """
    Yield the fields for reference files. Video frames and masks are not references.
    """
    for field in model.media_fields:
        words = set(field.name.split("_"))
        is_frame = words & {"start", "end", "first", "last", "mask", "frame"}
        if field.media == media and not (media == "image" and is_frame):
            yield field


def _has_characters(_: Model, body: Body) -> _Values:
    return _Values((bool(body.get("character_reference_images")),))


def _has(media: str) -> Callable[[Model, Body], _Values]:
    def is_given(model: Model, body: Body) -> _Values:
        fields = _reference_fields(model, media)
        return _Values((any(body.get(field.name) for field in fields),))

    return is_given


def _seconds(model: Model, body: Body) -> _Values:
    for name in _SECONDS:
        if name in model.fields or body.get(name) is not None:
            values = _field_values(name, model, body)
            if values == _OPEN:
                return _whole_seconds(model.fields.get(name, {}))
            return values
    return _OPEN


def _whole_seconds(schema: Schema) -> _Values:
    """
    Return all durations that a schema allows, in whole seconds.
    """
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is None or most is None or not 0 <= most - least <= _MAX_WAYS:
        return _OPEN
    return _Values((*range(int(least), int(most) + 1), most))


def _billable_seconds(model: Model, body: Body) -> _Values:
    """
    Return the total seconds of the result and of referenced videos.
    """
    seconds = _seconds(model, body)
    if not any(body.get(field.name) for field in _reference_fields(model, "video")):
        return seconds
    beside = _number(body.get("reference_video_seconds"))
    if beside is None or seconds.is_open:
        return _OPEN
    numbers = [_number(each) for each in seconds.known]
    return _Values(tuple(each + beside for each in numbers if each is not None))


def _same(value: Any, wanted: Any) -> bool:
    """
    Compare a value of a request with that of a price point.

    The spelling may differ: 5 equals "5", and "1k" equals "1K".
    """
    if isinstance(value, bool) or isinstance(wanted, bool):
        return _as_boolean(value) is _as_boolean(wanted)
    one, other = _number(value), _number(wanted)
    if one is not None or other is not None:
        return one == other
    return str(value).casefold() == str(wanted).casefold()


def _as_boolean(value: Any) -> Any:
    return {"true": True, "false": False}.get(str(value).lower(), value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _is_number(value: Any) -> bool:
    return _number(value) is not None


# Dimensions that are not simply one field of the request.
_DERIVED: Mapping[str, Callable[[Model, Body], _Values]] = {
    "k2BillingTier": _tier,
    "referenceImageCount": _references("image"),
    "referenceVideoCount": _references("video"),
    "referenceAudioCount": _references("audio"),
    "hasCharacterRefs": _has_characters,
    "hasVideoReference": _has("video"),
    "hasAudioReference": _has("audio"),
    "billableSeconds": _billable_seconds,
    "resolution": _resolution,
}
