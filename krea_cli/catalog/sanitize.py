"""
Sanitize models: nothing in a catalog may break or delay a later run.

Both sources pass through here: an API description before it is stored, and a stored
catalog before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from krea_cli.catalog.json_schema import UNCHECKED, fields_of, required_of, types
from krea_cli.catalog.pattern import compile_pattern

_DEEPEST = 32
_MAX = 1e30
# Longer required texts and lists cannot be shown in an example.
_MAX_MINIMUM = 10_000
_MIN_USD, _MAX_USD = 1e-6, 1e6
_UNITS = {"request", "second"}


def sanitize_model(path: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a model for a catalog document.

    Its schema has only the keywords that krea evaluates or shows.

    Raises:
        ValueError: the schema does not describe an object with fields.
        TypeError, AttributeError, KeyError: a part has an unexpected type.
    """
    schema = _schema(data["schema"], _DEEPEST)
    fields = fields_of(schema)
    if not fields or "object" not in (types(schema) or ("object",)):
        raise ValueError(f"{path} has no usable request schema")
    is_closed = schema.get("additionalProperties") is False
    if is_closed and not fields.keys() >= set(required_of(schema)):
        raise ValueError(f"{path} requires a field that it does not define")
    prices = data.get("prices", {})
    texts = [data["name"], prices.get("date", ""), *data.get("aliases", {}).values()]
    if not (_are_texts(texts) and all(map(_is_point, prices.get("points", ())))):
        raise TypeError(path)
    if prices.get("unit", "request") not in _UNITS:
        raise TypeError(path)
    return {**data, "schema": schema}


def is_price(amount: Any) -> bool:
    """
    Return whether this amount in USD is plausible for one request.
    """
    return _is_number(amount) and _MIN_USD <= amount <= _MAX_USD


def _is_point(point: Any) -> bool:
    amount, dimensions = point
    return is_price(amount) and isinstance(dimensions, dict) and _is_value(dimensions)


def _schema(given: Any, depth: int) -> dict[str, Any]:
    """
    Return the schema without unevaluated keywords. Their names are recorded.

    Raises:
        TypeError: a keyword has a value of the wrong type.
    """
    if not depth:
        raise TypeError("too deep")
    if isinstance(given, bool):
        return {} if given else {"not": {}}
    kept: dict[str, Any] = {}
    unchecked = list(given.get(UNCHECKED, ()))
    for key, value in given.items():
        if key in _READERS:
            kept[key] = _READERS[key](value, depth - 1)
        elif not _is_evaluated(key, value):
            unchecked += _unevaluated(key, value)
        elif _CHECKED[key](value):
            kept[key] = value
        else:
            raise TypeError(key)
    for key in _BESIDE_UNCHECKED.keys() & given.keys():
        kept.pop(_BESIDE_UNCHECKED[key], None)
    if unchecked:
        kept[UNCHECKED] = list(dict.fromkeys(map(str, unchecked)))
    return kept


def _is_evaluated(key: str, value: Any) -> bool:
    if key == "pattern" and isinstance(value, str):
        return compile_pattern(value) is not None
    return key in _CHECKED


def _unevaluated(key: str, value: Any) -> list[str]:
    if key in _ANNOTATIONS or key.startswith("x-"):
        return []
    return [f"pattern {value}" if key == "pattern" else key]


def _schemas_by_name(given: Any, depth: int) -> dict[str, Any]:
    return {name: _schema(each, depth) for name, each in given.items()}


def _schema_list(given: Any, depth: int) -> list[dict[str, Any]]:
    return [_schema(each, depth) for each in given]


def _other_fields(given: Any, depth: int) -> Any:
    return False if given is False else _schema(given, depth)


def _is_number(value: Any) -> bool:
    # In Python, True is also an int.
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_limit(value: Any) -> bool:
    return _is_number(value) and -_MAX <= value <= _MAX


def _is_count(value: Any) -> bool:
    return _is_limit(value) and value == int(value) and value >= 0


def _is_least(value: Any) -> bool:
    return _is_count(value) and value <= _MAX_MINIMUM


def _is_step(value: Any) -> bool:
    return _is_limit(value) and value > 0


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_value(value: Any, depth: int = _DEEPEST) -> bool:
    if isinstance(value, list | dict):
        items = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_value(item, depth - 1) for item in items)
    return not _is_number(value) or _is_limit(value)


_READERS: Mapping[str, Callable[[Any, int], Any]] = {
    "properties": _schemas_by_name,
    "additionalProperties": _other_fields,
    **dict.fromkeys(("items", "not", "if", "then", "else"), _schema),
    **dict.fromkeys(("anyOf", "oneOf", "allOf"), _schema_list),
}

# Keywords that are not evaluated, and those that depend on them: evaluating only the
# second would reject valid values.
_BESIDE_UNCHECKED = {
    "patternProperties": "additionalProperties",
    "prefixItems": "items",
}

# Keywords that never reject a value.
_ANNOTATIONS = {
    *("title", "description", "example", "examples", "discriminator", "xml"),
    *("externalDocs", "readOnly", "writeOnly", "nullable", "contentEncoding"),
    *("contentMediaType", "contentSchema", UNCHECKED),
    *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions"),
}

# Keywords that `validation` evaluates or shows, with a check of their values. A wrong
# value would break the validation of a request.
_CHECKED: Mapping[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) or _are_texts(value),
    "enum": lambda value: isinstance(value, list) and value != [] and _is_value(value),
    "const": _is_value,
    "default": _is_value,
    "minimum": _is_limit,
    "maximum": _is_limit,
    "exclusiveMinimum": _is_limit,
    "exclusiveMaximum": _is_limit,
    "multipleOf": _is_step,
    "minLength": _is_least,
    "maxLength": _is_count,
    "format": lambda value: isinstance(value, str),
    "required": _are_texts,
    "dependentRequired": lambda value: (
        isinstance(value, dict) and all(map(_are_texts, value.values()))
    ),
    "minItems": _is_least,
    "maxItems": _is_count,
    "uniqueItems": lambda value: isinstance(value, bool),
    "minProperties": _is_least,
    "maxProperties": _is_count,
    "pattern": lambda value: isinstance(value, str),
    "deprecated": lambda value: isinstance(value, bool),
}
