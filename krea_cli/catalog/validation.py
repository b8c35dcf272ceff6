"""
What is wrong with a request body, by the model's own schema and before it is sent; and
text from the command line as the value that a field's schema asks for.

Passes exactly the bodies that JSON Schema (draft 2020-12) passes, for the keywords that
the service uses; `format` asserts nothing there, nor here.  One exception: a string
that starts with "data:" is not held to maxLength, which the service does not enforce.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from krea_cli.catalog import schema_text
from krea_cli.catalog.json_schema import Schema, forms, types

# A name that reads as one, though it may be no field.
_PLAIN = re.compile(r"[^\W\d][\w-]*")
_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Violation:
    """
    One thing that is wrong: *field* such as "style_images[0].strength" (empty: the body
    itself), *message* one line that says also what is allowed.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def find_violations(schema: Schema, body: object) -> list[Violation]:
    """
    All faults of a body at once; none when it is valid.
    """
    return list(_violations(schema, body, ""))


def convert(schema: Schema, text: str) -> Any:
    """
    The text as a value of the type that a field's schema names, never of the type that
    it looks like: "123" stays text in a text field.  Text for a list of texts is its
    only item.  Whether the value is allowed is for `faults` to say.

    Raises:
        ValueError: the text is no such value; the message says what is expected.
    """
    allowed = {name: form for form in forms(schema) for name in types(form)}
    if "null" in allowed and text == "null":
        return None
    if "string" in allowed or not allowed:
        return text
    if "boolean" in allowed and text in {"true", "false"}:
        return text == "true"
    if "number" in allowed or "integer" in allowed:
        number = _parsed(text)
        if number is not None and ("number" in allowed or number == int(number)):
            return number if "number" in allowed else int(number)
    if "array" in allowed and "string" in _item_types(allowed["array"]):
        return [text]
    wanted = schema_text.describe_allowed(schema)
    if {"array", "object"} & allowed.keys():
        raise ValueError(f"expects {wanted} as JSON: KEY:=JSON instead of KEY=VALUE")
    raise ValueError(f"expects {wanted}, not {schema_text.preview_json(text)}")


def _violations(schema: Schema, value: Any, at: str) -> Iterator[Violation]:
    for form in ("anyOf", "oneOf"):
        if form in schema:
            yield from _alternatives(schema[form], value, at, one=form == "oneOf")
    if not _has_type(schema, value):
        yield _wrong(at, schema, schema_text.preview_json(value))
        return
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if allowed is not None and value not in allowed:
        yield _wrong(at, schema, schema_text.preview_json(value))
    if isinstance(value, str):
        yield from _text(schema, value, at)
    elif isinstance(value, list):
        yield from _array(schema, value, at)
    elif isinstance(value, dict):
        yield from _object(schema, value, at)
    elif _is_number(value) and not (
        schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        and schema.get("exclusiveMinimum", -math.inf) < value
    ):
        yield _wrong(at, schema, schema_text.preview_json(value))


def _alternatives(
    schemas: list[Schema], value: Any, at: str, *, one: bool
) -> Iterator[Violation]:
    found = [list(_violations(schema, value, at)) for schema in schemas]
    passed = found.count([])
    if passed == 1 or (passed and not one):
        return
    # Where one alternative fits best, its own faults say most: of those that have the
    # type of the value, the one that goes wrong deepest inside it.
    typed = [
        each
        for schema, each in zip(schemas, found, strict=True)
        if each and _has_type(schema, value)
    ]
    deepest = max(map(_depth, typed), default=0)
    best = [each for each in typed if _depth(each) == deepest]
    if len(best) == 1:
        yield from best[0]
    else:
        word = "exactly one of: " if passed else ""
        yield _wrong(at, {"anyOf": schemas}, schema_text.preview_json(value), word)


def _depth(found: list[Violation]) -> int:
    return min(len(re.findall(r"[.\[]", fault.field)) for fault in found)


def _text(schema: Schema, text: str, at: str) -> Iterator[Violation]:
    most = math.inf if text.startswith("data:") else schema.get("maxLength", math.inf)
    if not schema.get("minLength", 0) <= len(text) <= most:
        yield _wrong(at, schema, str(len(text)))
    # To Python $ is also before a last line break.
    if "pattern" in schema and not re.search(
        re.sub(r"\$$", r"\\Z", schema["pattern"]), text
    ):
        yield Violation(
            at, f"must match {schema['pattern']}, not {schema_text.preview_json(text)}"
        )


def _array(schema: Schema, items: list[Any], at: str) -> Iterator[Violation]:
    if not schema.get("minItems", 0) <= len(items) <= schema.get("maxItems", math.inf):
        yield _wrong(at, schema, str(len(items)))
    for index, item in enumerate(items):
        yield from _violations(schema.get("items", {}), item, f"{at}[{index}]")


def _object(schema: Schema, value: dict[str, Any], at: str) -> Iterator[Violation]:
    fields = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            wanted = schema_text.describe_allowed(fields.get(name, {}))
            yield Violation(_inside(at, name), f"is required: {wanted}")
    for name, item in value.items():
        if name in fields:
            yield from _violations(fields[name], item, _inside(at, name))
        elif schema.get("additionalProperties") is False:
            yield Violation(
                _inside(at, name), schema_text.describe_unknown_field(name, fields)
            )


def _wrong(at: str, schema: Schema, found: str, word: str = "") -> Violation:
    return Violation(
        at, f"must be {word}{schema_text.describe_allowed(schema)}, not {found}"
    )


def _inside(at: str, name: str) -> str:
    if not _PLAIN.fullmatch(name):
        return f"{at}[{schema_text.preview_json(name)}]"
    return f"{at}.{name}" if at else name


def _has_type(schema: Schema, value: object) -> bool:
    names = types(schema)
    return not names or any(_IS[name](value) for name in names if name in _IS)


def _is_number(value: object) -> bool:
    # NaN and infinity have no form in JSON.
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


_IS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == int(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _item_types(schema: Schema) -> set[str]:
    return {name for form in forms(schema.get("items", {})) for name in types(form)}


def _parsed(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text)
    except ValueError:
        number = float(text)
    return number if math.isfinite(number) else None
