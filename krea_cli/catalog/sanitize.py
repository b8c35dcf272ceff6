"""
What may stand in a catalog: nothing that would break, or hold up, a later run that
checks a request, tells a price or shows a model.

Both ways into a run pass here: a document of the service before it is kept, and one
that was kept before it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_DEEPEST = 32
_MOST = 1e30
# A text or a list that must be longer cannot be shown as an example.
_MOST_LEAST = 10_000
_LEAST_USD, _MOST_USD = 1e-6, 1e6

# Letters and classes of letters from the beginning on, one of them repeated: such a
# pattern takes no longer than the text is long, and means to Python what it means to
# JavaScript.
_ATOM = r"(?:[A-Za-z0-9_-]|\[(?:[A-Za-z0-9_](?:-[A-Za-z0-9])?)+-?\])"
_REPEAT = r"(?:[*+?]|\{[0-9]{1,4}(?:,[0-9]{0,4})?\})"
_PLAIN = re.compile(rf"\^{_ATOM}*(?:{_ATOM}{_REPEAT})?{_ATOM}*\$?")
_LONGEST_PATTERN = 200


def sanitize_model(path: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """
    A model as a catalog document has it, its schema with only the keywords that are
    checked or told.

    Raises:
        ValueError: its schema is no closed one of an object.
        TypeError, AttributeError, KeyError: something in it is of another form.
    """
    schema = _schema(data["schema"], _DEEPEST)
    fields = schema.get("properties")
    is_closed = schema.get("type") == "object" and "additionalProperties" in schema
    if not (is_closed and fields and fields.keys() >= set(schema.get("required", ()))):
        raise ValueError(f"{path} has no closed object schema for its request")
    prices = data.get("prices", {})
    texts = [data["name"], prices.get("date", ""), *data.get("aliases", {}).values()]
    if not (_are_texts(texts) and all(map(_is_point, prices.get("points", ())))):
        raise TypeError(path)
    return {**data, "schema": schema}


def is_price(amount: Any) -> bool:
    """
    Whether it is as many USD as one request could cost.
    """
    return _is_number(amount) and _LEAST_USD <= amount <= _MOST_USD


def _is_point(point: Any) -> bool:
    amount, dimensions = point
    return is_price(amount) and isinstance(dimensions, dict) and _is_value(dimensions)


def _schema(given: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """
    Raises:
        TypeError: a keyword holds something else than it should.
    """
    if not depth:
        raise TypeError("too deep")
    kept: dict[str, Any] = {}
    for key, value in given.items():
        if key == "properties":
            kept[key] = {name: _schema(each, depth - 1) for name, each in value.items()}
        elif key == "items":
            kept[key] = _schema(value, depth - 1)
        elif key in {"anyOf", "oneOf"}:
            kept[key] = [_schema(form, depth - 1) for form in value]
        elif key in _CHECKED:
            if not _CHECKED[key](value):
                raise TypeError(key)
            kept[key] = value
        elif (key == "additionalProperties" and value is False) or (
            key == "pattern" and _is_plain(value)
        ):
            kept[key] = value
    return kept


def _is_plain(pattern: str) -> bool:
    # Others are left to the service: there are patterns that take for ever.
    if len(pattern) > _LONGEST_PATTERN or not _PLAIN.fullmatch(pattern):
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _is_number(value: Any) -> bool:
    # To Python true is a number.
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_limit(value: Any) -> bool:
    return _is_number(value) and -_MOST <= value <= _MOST


def _is_count(value: Any) -> bool:
    return _is_limit(value) and isinstance(value, int) and value >= 0


def _is_least(value: Any) -> bool:
    return _is_count(value) and value <= _MOST_LEAST


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_value(value: Any, depth: int = _DEEPEST) -> bool:
    if isinstance(value, list | dict):
        items = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_value(item, depth - 1) for item in items)
    return not _is_number(value) or _is_limit(value)


# The keywords that `validation` checks or tells, and what they hold: one that holds
# something else would break a later check of a request.
_CHECKED: Mapping[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) or _are_texts(value),
    "enum": lambda value: isinstance(value, list) and value != [] and _is_value(value),
    "const": _is_value,
    "default": _is_value,
    "minimum": _is_limit,
    "maximum": _is_limit,
    "exclusiveMinimum": _is_limit,
    "minLength": _is_least,
    "maxLength": _is_count,
    "format": lambda value: isinstance(value, str),
    "required": _are_texts,
    "minItems": _is_least,
    "maxItems": _is_count,
    "deprecated": lambda value: isinstance(value, bool),
}
