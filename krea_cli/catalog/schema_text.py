"""
What a schema allows, in words for a message of one line.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from krea_cli.catalog.json_schema import Schema, types

_SHOWN = 60
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
    What a value must be, such as "a number from -2 to 2" or '"1K", "2K" or "4K"'.
    """
    for form in ("anyOf", "oneOf"):
        if form in schema:
            return _listed(list(dict.fromkeys(map(describe_allowed, schema[form]))))
    if "const" in schema or "enum" in schema:
        allowed = schema.get("enum", [schema.get("const")])
        return _listed([preview_json(value) for value in allowed])
    return _listed([_typed(name, schema) for name in types(schema)]) or "a value"


def describe_schema(schema: Schema) -> str:
    """
    As `expected`, and what is in a list or an object, down to the last field; one that
    need not be there has a question mark.
    """
    for form in ("anyOf", "oneOf"):
        if form in schema:
            return _listed(list(dict.fromkeys(map(describe_schema, schema[form]))))
    if fields := schema.get("properties"):
        required = schema.get("required", ())
        told = (
            f"{name}{'' if name in required else '?'}: {describe_schema(field)}"
            for name, field in fields.items()
        )
        return f"{{{', '.join(told)}}}"
    words = describe_allowed(schema)
    if "items" in schema:
        words += f", each {describe_schema(schema['items'])}"
    return f"{words} like {schema['pattern']}" if "pattern" in schema else words


def preview_json(value: object) -> str:
    """
    A value as JSON in ASCII, cut to a length that a line can bear.
    """
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def describe_unknown_field(name: str, fields: Collection[str]) -> str:
    """
    That the name is no field, with those that are: the nearest, else all.
    """
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), fields, n=2)
    return (
        f"no such field; {'nearest' if near else 'known'}: {', '.join(near or fields)}"
    )


def _typed(name: str, schema: Schema) -> str:
    word = _TYPES.get(name, name)
    if name in {"number", "integer"}:
        word += _range(schema.get("minimum"), schema.get("maximum"))
        if "exclusiveMinimum" in schema:
            word += f" above {schema['exclusiveMinimum']}"
    elif name == "string":
        word = "a URL" if schema.get("format") == "uri" else word
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


def _listed(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
