"""
Describe in one line what a schema allows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from krea_cli.catalog.json_schema import (
    UNCHECKED,
    Schema,
    fields_of,
    is_url,
    items_of,
    types,
    unchecked_in,
)

_PREVIEW = 60
_LARGEST_INTEGER = 2**53 - 1
_TYPES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}


def describe_allowed(schema: Schema) -> str:
    """
    Describe the allowed values, such as "a number from -2 to 2" or '"1K", "2K" or
    "4K"'.
    """
    for form in ("anyOf", "oneOf"):
        if form in schema:
            return listed_words(
                list(dict.fromkeys(map(describe_allowed, schema[form])))
            )
    if "const" in schema or "enum" in schema:
        allowed = schema.get("enum", [schema.get("const")])
        return listed_words([preview_json(value) for value in allowed])
    words = listed_words([_typed(name, schema) for name in types(schema)])
    if not words and "allOf" in schema:
        return describe_allowed(schema["allOf"][0])
    return words or "a value"


def describe_schema(schema: Schema) -> str:
    """
    Describe a value with all nested fields.

    Optional fields have a question mark. Unchecked keywords are listed.
    """
    words = _described(schema)
    unchecked = unchecked_in(schema)
    return f"{words} (not checked: {', '.join(unchecked)})" if unchecked else words


def _described(schema: Schema) -> str:
    for form in ("anyOf", "oneOf"):
        if form in schema:
            # The outer description already lists what is unchecked in the alternatives.
            bare = [{**each, UNCHECKED: []} for each in schema[form]]
            return listed_words(list(dict.fromkeys(map(_described, bare))))
    if fields := schema.get("properties"):
        required = schema.get("required", ())
        described = (
            f"{name}{'' if name in required else '?'}: {describe_schema(field)}"
            for name, field in fields.items()
        )
        return f"{{{', '.join(described)}}}"
    words = describe_allowed(_without_machine_limits(schema))
    if "items" in schema:
        words += f", each {describe_schema(schema['items'])}"
        words += ", no duplicates" if schema.get("uniqueItems") else ""
    return f"{words} matching {schema['pattern']}" if "pattern" in schema else words


def describe_beside(schema: Schema, url_key: str | None) -> str:
    """
    Describe the values that go with each file of a media field, such as "strength (a
    number from -2 to 2)"; empty where the file is all.
    """
    fields = fields_of(items_of(schema)) or fields_of(schema)
    return ", ".join(
        f"{name} ({describe_allowed(field)})"
        for name, field in fields.items()
        if name != url_key and "const" not in field
    )


def _without_machine_limits(schema: Schema) -> Schema:
    """
    Drop the limits that only say which integers a number of JavaScript can hold.
    """
    limits = ("minimum", "maximum")
    return {
        keyword: value
        for keyword, value in schema.items()
        if keyword not in limits or abs(value) < _LARGEST_INTEGER
    }


def describe_count(schema: Schema) -> str:
    """
    Describe how many fields an object needs, such as "at least 1 field".
    """
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    return _range(least, most, "fields").removeprefix(" of ")


def preview_json(value: object) -> str:
    """
    Format a value as ASCII JSON, cut to a length that fits into a line.
    """
    text = json.dumps(value)
    return text if len(text) <= _PREVIEW else f"{text[:_PREVIEW]}..."


def nearest(value: object, allowed: Sequence[str]) -> str | None:
    """
    Return the allowed text that is most similar to the value, as JSON, or None.
    """
    from krea_cli.runtime.nearest_words import nearest_words

    if not isinstance(value, str):
        return None
    found = nearest_words(value, allowed)
    return preview_json(found[0]) if found else None


def describe_unknown_field(name: str, fields: Collection[str]) -> str:
    """
    Report an unknown field. Suggest similar ones, or else list all.
    """
    from krea_cli.runtime.nearest_words import nearest_words

    near = nearest_words(name, fields, limit=2)
    if near:
        return f"unknown field; did you mean {listed_words(near)}?"
    return f"unknown field; known fields: {', '.join(fields)}"


def _typed(name: str, schema: Schema) -> str:
    word = _TYPES.get(name, name)
    if name in {"number", "integer"}:
        word += _range(schema.get("minimum"), schema.get("maximum"))
        if "exclusiveMinimum" in schema:
            word += f" above {schema['exclusiveMinimum']}"
        if "exclusiveMaximum" in schema:
            word += f" below {schema['exclusiveMaximum']}"
        if "multipleOf" in schema:
            word += f" in steps of {schema['multipleOf']}"
    elif name == "string":
        word = "a URL" if is_url(schema) else word
        word += _range(schema.get("minLength"), schema.get("maxLength"), "characters")
    elif name == "array":
        word += _range(schema.get("minItems"), schema.get("maxItems"), "items")
    elif name == "object":
        fixed = {
            key: field["const"]
            for key, field in schema.get("properties", {}).items()
            if "const" in field
        }
        word = f"{preview_json(fixed)[:-1]}, ...}}" if fixed else word
    return word


def _range(least: float | None, most: float | None, unit: str = "") -> str:
    if least is None and most is None:
        return ""
    if least is None:
        words = f"at most {most}"
    elif most is None:
        words = f"at least {least}"
    else:
        words = f"{least} to {most}"
    if unit:
        last = least if most is None else most
        return f" of {words} {unit if last != 1 else unit.removesuffix('s')}"
    return f" {'from' if None not in (least, most) else 'of'} {words}"


def listed_words(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
