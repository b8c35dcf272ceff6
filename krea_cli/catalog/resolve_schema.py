"""
Convert the schemas of an OpenAPI document to self-contained JSON Schemas.

OpenAPI 3.0 and 3.1 are supported: local references are replaced with their targets,
`allOf` is merged into one schema, and keywords of OpenAPI 3.0 (`nullable`, boolean
`exclusiveMinimum`) are converted to JSON Schema 2020-12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from krea_cli.catalog.json_schema import UNCHECKED, Schema, equal, fields_of, types

# References can expand a small document to an infinite schema.
_MAX_PARTS = 5_000
_DEEPEST = 32

_SCHEMA_KEYWORDS = {"items", "not", "if", "then", "else"}
_LIST_KEYWORDS = {"anyOf", "oneOf"}
_ANNOTATIONS = {"title", "description", "default", "deprecated", "format", "example"}
_CONDITION = ("if", "then", "else")
_OBJECT_KEYWORDS = {"properties", "additionalProperties"}
_EXCLUSIVE = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


class SchemaResolver:
    """
    Resolves the schemas of one model.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._left = _MAX_PARTS

    def follow(self, value: Any) -> Any:
        """
        Return the target of a reference. Return any other value unchanged.

        Raises:
            ValueError: the target does not exist, or references form a cycle.
        """
        for _ in range(_DEEPEST):
            if not (isinstance(value, Mapping) and isinstance(value.get("$ref"), str)):
                return value
            value = self._target(value["$ref"])
        raise ValueError("has circular references")

    def resolve(
        self, schema: Any, depth: int = _DEEPEST, within: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """
        Return the schema without references.

        `within` lists the references being resolved.

        Raises:
            ValueError: the schema is too large or too deep, or a target does not exist.
            TypeError, AttributeError: this is not a schema.
        """
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        self._left -= 1
        if not depth or self._left < 0:
            raise ValueError("has a schema that is too large")
        parts = []
        given = dict(schema.items())
        reference = given.pop("$ref", None)
        if reference in within:
            parts.append({UNCHECKED: ["$ref"]})
        elif reference is not None:
            inside = (*within, reference)
            parts.append(self.resolve(self._target(reference), depth - 1, inside))

        def inner(each: Any) -> dict[str, Any]:
            return self.resolve(each, depth - 1, within)

        parts += [inner(each) for each in given.pop("allOf", ())]
        for keyword in _LIST_KEYWORDS & given.keys():
            if len(given[keyword]) == 1:
                parts.append(inner(given.pop(keyword)[0]))
        merged = _own_keywords(given, inner)
        for part in parts:
            merged = merge(merged, part)
        return _close_object(merged)

    def _target(self, reference: str) -> Any:
        if not reference.startswith("#"):
            raise ValueError(f"has an external reference: {reference}")
        found: Any = self._document
        for part in filter(None, unquote(reference[1:]).split("/")):
            key = part.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (LookupError, TypeError, ValueError) as exc:
                raise ValueError(f"has a broken reference: {reference}") from exc
        return found


def merge(one: Schema, other: Schema) -> dict[str, Any]:
    """
    Return a schema that allows the values that both schemas allow.

    Keywords that cannot be combined, such as two patterns, stay under `allOf`.
    """
    if not (one and other):
        return {**one, **other}
    if "patternProperties" in one or "patternProperties" in other:
        return {"allOf": [dict(one), dict(other)]}
    merged = {**one, **_merged_objects(one, other)}
    beside = _add_keywords(merged, other)
    if beside:
        merged["allOf"] = [*merged.get("allOf", ()), beside]
    if [] in (merged.get("type"), merged.get("enum")):
        return {"not": {}}
    return merged


def _add_keywords(merged: dict[str, Any], other: Schema) -> dict[str, Any]:
    """
    Merge the keywords of `other` one by one. Return the keywords that cannot be
    combined.
    """
    conditions = {key: other[key] for key in _CONDITION if key in other}
    beside = conditions if "if" in merged else {}
    merged.update({} if beside else conditions)
    for keyword, value in other.items():
        if keyword in _OBJECT_KEYWORDS or keyword in _CONDITION:
            continue
        if keyword not in merged:
            merged[keyword] = value
        elif keyword in _MERGED:
            merged[keyword] = _MERGED[keyword](merged[keyword], value)
        elif keyword not in _ANNOTATIONS and not equal(value, merged[keyword]):
            beside[keyword] = value
    return beside


def _own_keywords(
    given: Mapping[str, Any], inner: Callable[[Any], Any]
) -> dict[str, Any]:
    """
    Return the schema's own keywords, converted to JSON Schema 2020-12.
    """
    own: dict[str, Any] = {}
    for keyword, value in given.items():
        if keyword == "properties":
            own[keyword] = {name: inner(each) for name, each in value.items()}
        elif keyword in _LIST_KEYWORDS:
            own[keyword] = [inner(each) for each in value]
        elif keyword in _SCHEMA_KEYWORDS:
            own[keyword] = inner(value)
        elif keyword != "additionalProperties" or value is False:
            own[keyword] = value
        elif value not in (True, {}):
            own[keyword] = inner(value)
    return _upgrade_keywords(own)


def _upgrade_keywords(own: dict[str, Any]) -> dict[str, Any]:
    """
    Replace keywords that exist only in OpenAPI 3.0.
    """
    for exclusive, limit in _EXCLUSIVE.items():
        if isinstance(own.get(exclusive), bool):
            is_exclusive = own.pop(exclusive)
            if is_exclusive and limit in own:
                own[exclusive] = own.pop(limit)
    if own.pop("nullable", None) is True and "type" in own:
        own["type"] = list(dict.fromkeys([*types(own), "null"]))
    return own


def _close_object(schema: dict[str, Any]) -> dict[str, Any]:
    """
    Replace `unevaluatedProperties: false` with a closed list of all fields.
    """
    if schema.get("unevaluatedProperties") is not False:
        return schema
    closed = {key: each for key, each in schema.items() if key[:11] != "unevaluated"}
    own = closed.get("properties", {})
    others: dict[str, Any] = {name: {} for name in fields_of(closed) if name not in own}
    closed |= {"properties": {**own, **others}, "additionalProperties": False}
    if others:
        # This also accepts a field of one alternative together with another
        # alternative.
        closed[UNCHECKED] = [*closed.get(UNCHECKED, ()), "unevaluatedProperties"]
    return closed


def _merged_objects(one: Schema, other: Schema) -> dict[str, Any]:
    """
    Return the fields that both schemas allow, and whether additional ones are allowed.
    """
    if not _OBJECT_KEYWORDS & (one.keys() | other.keys()):
        return {}
    fields = {}
    for name in [*one.get("properties", {}), *other.get("properties", {})]:
        sides = [_field(each, name) for each in (one, other)]
        if None not in sides:
            fields[name] = merge(*[side or {} for side in sides])
    merged: dict[str, Any] = {"properties": fields}
    others: list[Any] = [
        each["additionalProperties"]
        for each in (one, other)
        if "additionalProperties" in each
    ]
    if False in others:
        merged["additionalProperties"] = False
    elif others:
        merged["additionalProperties"] = merge(others[0], others[-1])
    return merged


def _field(schema: Schema, name: str) -> Schema | None:
    """
    Return the schema of a field, or None if the object must not have it.
    """
    if name in schema.get("properties", {}):
        field: Schema = schema["properties"][name]
        return field
    others = schema.get("additionalProperties", {})
    return None if others is False else others


def _common_types(one: str | Sequence[str], other: str | Sequence[str]) -> list[str]:
    ours, theirs = types({"type": one}), types({"type": other})
    common = [name for name in ours if name in theirs]
    if ("integer" in ours and "number" in theirs and "integer" not in common) or (
        "number" in ours and "integer" in theirs and "integer" not in common
    ):
        common.append("integer")
    return common


_MERGED: Mapping[str, Callable[[Any, Any], Any]] = {
    "allOf": lambda one, other: [*one, *other],
    "type": _common_types,
    "enum": lambda one, other: [
        value for value in one if any(equal(value, each) for each in other)
    ],
    "required": lambda one, other: list(dict.fromkeys([*one, *other])),
    "minimum": max,
    "exclusiveMinimum": max,
    "minLength": max,
    "minItems": max,
    "minProperties": max,
    "maximum": min,
    "exclusiveMaximum": min,
    "maxLength": min,
    "maxItems": min,
    "maxProperties": min,
    "uniqueItems": lambda one, other: one or other,
    "items": merge,
    "dependentRequired": lambda one, other: {
        name: list(dict.fromkeys([*one.get(name, ()), *other.get(name, ())]))
        for name in {**one, **other}
    },
    UNCHECKED: lambda one, other: list(dict.fromkeys([*one, *other])),
}
