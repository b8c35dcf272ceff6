"""
Read JSON Schemas: types, alternatives, and the subschemas of fields and items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

# Lists the keywords that were removed from a schema because krea does not check them.
UNCHECKED = "x-unchecked"

_URL_FORMATS = {"uri", "url", "iri", "uri-reference"}


def types(schema: Schema) -> Sequence[str]:
    """
    Return the JSON types listed by the schema itself.
    """
    named = schema.get("type", ())
    return (named,) if isinstance(named, str) else tuple(named)


def forms(schema: Schema) -> list[Schema]:
    """
    Return the schema and all its alternatives, such as text and null.
    """
    return list(_forms(schema))


def _forms(schema: Schema) -> Iterator[Schema]:
    yield schema
    for keyword in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(keyword, ()):
            yield from _forms(each)
    for keyword in ("then", "else"):
        if keyword in schema:
            yield from _forms(schema[keyword])


def equal(one: Any, other: Any) -> bool:
    """
    Compare two values as JSON does: true does not equal 1.
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            equal(value, other[key]) for key, value in one.items()
        )
    return bool(one == other)


def is_url(schema: Schema) -> bool:
    return any(form.get("format") in _URL_FORMATS for form in forms(schema))


def fields_of(schema: Schema) -> Mapping[str, Schema]:
    """
    Return the schema of each field of an object, over all alternatives.
    """
    found: dict[str, list[Schema]] = {}
    for form in forms(schema):
        for name, field in form.get("properties", {}).items():
            found.setdefault(name, []).append(field)
    return {name: _any_of(fields) for name, fields in found.items()}


def required_of(schema: Schema) -> tuple[str, ...]:
    """
    Return the fields that are required by every alternative.
    """
    names = list(schema.get("required", ()))
    for each in schema.get("allOf", ()):
        names += required_of(each)
    for keyword in ("anyOf", "oneOf"):
        choices = [required_of(each) for each in schema.get(keyword, ())]
        if choices:
            first, *others = choices
            names += [name for name in first if all(name in each for each in others)]
    return tuple(dict.fromkeys(names))


def is_closed(schema: Schema) -> bool:
    """
    Return whether an object must not have additional fields.
    """
    if schema.get("additionalProperties") is False:
        return True
    variants = [schema[key] for key in ("anyOf", "oneOf") if key in schema]
    parts = schema.get("allOf", ())
    return any(all(map(is_closed, each)) for each in variants) or any(
        map(is_closed, parts)
    )


def items_of(schema: Schema) -> Schema:
    """
    Return the schema of the items of a list; empty if it is not specified.
    """
    return _any_of([form["items"] for form in forms(schema) if "items" in form])


def unchecked_in(schema: Schema) -> list[str]:
    """
    Return the unchecked keywords of the schema and its alternatives.
    """
    found = (name for form in forms(schema) for name in form.get(UNCHECKED, ()))
    return list(dict.fromkeys(found))


def map_texts(
    schema: Schema | None,
    value: Any,
    at: str,
    change: Callable[[str, Schema | None, str], Any],
) -> Any:
    """
    Replace each text in a value with the result of `change`.

    `change` is called with the path of the text, such as "style_images[0].url", its
    schema (None if unknown), and the text. `at` is the path of the value itself.
    """
    if isinstance(value, str):
        return change(at, schema, value)
    if isinstance(value, list):
        items = None if schema is None else items_of(schema) or None
        return [
            map_texts(items, item, f"{at}[{index}]", change)
            for index, item in enumerate(value)
        ]
    if isinstance(value, dict):
        fields = {} if schema is None else fields_of(schema)
        return {
            name: map_texts(
                fields.get(name), item, f"{at}.{name}" if at else name, change
            )
            for name, item in value.items()
        }
    return value


def _any_of(schemas: Sequence[Schema]) -> Schema:
    different: list[Schema] = []
    for each in schemas:
        if each not in different:
            different.append(each)
    if not different:
        return {}
    return different[0] if len(different) == 1 else {"anyOf": different}
