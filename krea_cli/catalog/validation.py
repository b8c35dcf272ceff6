"""
Validate request bodies, and convert command-line text to field values.

A body is valid exactly if JSON Schema (draft 2020-12) accepts it, for the keywords that
`sanitize` keeps and without asserting `format`. There is one exception: text that
starts with "data:" may exceed maxLength, which the service does not enforce.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from krea_cli.catalog import schema_text
from krea_cli.catalog.json_schema import Schema, equal, forms, items_of, types

# Names that need no quotes.
_PLAIN = r"[^\W\d][\w-]*"
_NUMBER = r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"


class Violation(NamedTuple):
    """
    A violation of the schema.

    `field` is a path such as "style_images[0].strength", or empty for the body itself.
    `message` is one line that also says what is allowed.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def find_violations(schema: Schema, body: object) -> list[Violation]:
    """
    Return all violations in a body.
    """
    return list(_violations(schema, body, ""))


def convert(schema: Schema, text: str) -> Any:
    """
    Convert text to the type declared by a field's schema.

    The content of the text does not matter: "123" stays text in a text field. For a
    list of texts, the text becomes its only item. Use `find_violations` to check
    whether the value is allowed.

    Raises:
        ValueError: the text cannot be converted. The message says what is expected.
    """
    allowed = {name: form for form in forms(schema) for name in types(form)}
    if "null" in allowed and text == "null":
        return None
    if "string" in allowed or not allowed:
        return _listed_spelling(schema, text)
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
        raise ValueError(f"must be {wanted}: use KEY:=JSON instead of KEY=VALUE")
    raise ValueError(f"must be {wanted}, not {schema_text.preview_json(text)}")


def _listed_spelling(schema: Schema, text: str) -> str:
    """
    Return the allowed value that differs only in case, or else the text itself.
    """
    listed = _listed_texts(schema)
    found = [each for each in listed if each.casefold() == text.casefold()]
    return found[0] if text not in listed and len(found) == 1 else text


def _listed_texts(schema: Schema) -> list[str]:
    values = [
        value
        for form in forms(schema)
        for value in (*form.get("enum", ()), form.get("const"))
    ]
    return [value for value in values if isinstance(value, str)]


def _violations(schema: Schema, value: Any, at: str) -> Iterator[Violation]:
    yield from _combined(schema, value, at)
    if not _has_type(schema, value):
        yield _violation(at, schema, schema_text.preview_json(value))
        return
    if not _is_listed(schema, value):
        found = schema_text.preview_json(value)
        near = schema_text.nearest(value, _listed_texts(schema))
        yield _violation(
            at, schema, f"{found}; did you mean {near}?" if near else found
        )
    if isinstance(value, str):
        yield from _text(schema, value, at)
    elif isinstance(value, list):
        yield from _array(schema, value, at)
    elif isinstance(value, dict):
        yield from _object(schema, value, at)
    elif _is_number(value) and not _is_in_range(schema, value):
        yield _violation(at, schema, schema_text.preview_json(value))


def _combined(schema: Schema, value: Any, at: str) -> Iterator[Violation]:
    """
    Yield violations of combined schemas (`allOf`, `anyOf` and so on).
    """
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            yield from _alternatives(schema[keyword], value, at, one=keyword == "oneOf")
    for each in schema.get("allOf", ()):
        yield from _violations(each, value, at)
    if "not" in schema and _is_valid(schema["not"], value):
        yield Violation(at, _not_allowed_message(schema["not"], value))
    if "if" in schema:
        branch = "then" if _is_valid(schema["if"], value) else "else"
        yield from _violations(schema.get(branch, {}), value, at)


def _is_valid(schema: Schema, value: Any) -> bool:
    return next(_violations(schema, value, ""), None) is None


def _not_allowed_message(schema: Schema, value: Any) -> str:
    found = schema_text.preview_json(value)
    if not schema:
        return f"no value is allowed here, not {found}"
    return f"must not be {schema_text.describe_allowed(schema)}, not {found}"


def _is_listed(schema: Schema, value: Any) -> bool:
    lists = [schema["enum"]] if "enum" in schema else []
    lists += [[schema["const"]]] if "const" in schema else []
    return all(any(equal(value, each) for each in allowed) for allowed in lists)


def _is_in_range(schema: Schema, value: float) -> bool:
    return (
        schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        and schema.get("exclusiveMinimum", -math.inf) < value
        and value < schema.get("exclusiveMaximum", math.inf)
        and ("multipleOf" not in schema or _is_multiple(value, schema["multipleOf"]))
    )


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    # Divide as services do: they reject 0.3 as a multiple of 0.1.
    quotient = value / step
    return math.isfinite(quotient) and quotient == int(quotient)


def _alternatives(
    schemas: list[Schema], value: Any, at: str, *, one: bool
) -> Iterator[Violation]:
    found = [list(_violations(schema, value, at)) for schema in schemas]
    passed = found.count([])
    if passed == 1 or (passed and not one):
        return
    # If one alternative fits best, its violations are the most helpful: among
    # alternatives of the same type, the one whose violations are nested deepest.
    typed = [
        each
        for schema, each in zip(schemas, found, strict=True)
        if each and _has_type(schema, value)
    ]
    deepest = max(map(_depth, typed), default=0)
    best = [each for each in typed if _depth(each) == deepest]
    if len(best) > 1 and not (passed or at):
        # Among variants of a whole body, report the closest one.
        best = [min(best, key=len)]
    if len(best) == 1:
        yield from best[0]
    else:
        word = "exactly one of: " if passed else ""
        yield _violation(at, {"anyOf": schemas}, schema_text.preview_json(value), word)


def _depth(found: list[Violation]) -> int:
    return min(len(re.findall(r"[.\[]", violation.field)) for violation in found)


def _text(schema: Schema, text: str, at: str) -> Iterator[Violation]:
    most = math.inf if text.startswith("data:") else schema.get("maxLength", math.inf)
    if not schema.get("minLength", 0) <= len(text) <= most:
        yield _violation(at, schema, str(len(text)))
    if "pattern" in schema:
        from krea_cli.catalog.pattern import compile_pattern  # few fields have one

        pattern = compile_pattern(schema["pattern"])
        if pattern and not pattern.search(text):
            yield Violation(
                at,
                f"must match {schema['pattern']}, not {schema_text.preview_json(text)}",
            )


def _array(schema: Schema, items: list[Any], at: str) -> Iterator[Violation]:
    if not schema.get("minItems", 0) <= len(items) <= schema.get("maxItems", math.inf):
        yield _violation(at, schema, str(len(items)))
    if schema.get("uniqueItems") and _repeated(items):
        yield Violation(at, "must not contain duplicates")
    for index, item in enumerate(items):
        yield from _violations(schema.get("items", {}), item, f"{at}[{index}]")


def _repeated(items: list[Any]) -> bool:
    return any(
        equal(item, other)
        for index, item in enumerate(items)
        for other in items[:index]
    )


def _object(schema: Schema, value: dict[str, Any], at: str) -> Iterator[Violation]:
    fields = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield _missing(schema, name, at)
    yield from _dependencies(schema, value, at)
    least, most = schema.get("minProperties", 0), schema.get("maxProperties", math.inf)
    if not least <= len(value) <= most:
        allowed = schema_text.describe_count(schema)
        yield Violation(at, f"must have {allowed}, not {len(value)}")
    others = schema.get("additionalProperties", {})
    for name, item in value.items():
        if name in fields:
            yield from _violations(fields[name], item, _field_path(at, name))
        elif others is False:
            message = schema_text.describe_unknown_field(name, fields)
            yield Violation(_field_path(at, name), message)
        elif others:
            yield from _violations(others, item, _field_path(at, name))


def _dependencies(
    schema: Schema, value: dict[str, Any], at: str
) -> Iterator[Violation]:
    for given, names in schema.get("dependentRequired", {}).items():
        for name in names if given in value else ():
            if name not in value:
                yield _missing(schema, name, at, f" with {given}")


def _missing(schema: Schema, name: str, at: str, when: str = "") -> Violation:
    allowed = schema_text.describe_allowed(schema.get("properties", {}).get(name, {}))
    return Violation(_field_path(at, name), f"is required{when} ({allowed})")


def _violation(at: str, schema: Schema, found: str, word: str = "") -> Violation:
    return Violation(
        at, f"must be {word}{schema_text.describe_allowed(schema)}, not {found}"
    )


def _field_path(at: str, name: str) -> str:
    if not re.fullmatch(_PLAIN, name):
        return f"{at}[{schema_text.preview_json(name)}]"
    return f"{at}.{name}" if at else name


def _has_type(schema: Schema, value: object) -> bool:
    names = types(schema)
    return not names or any(_IS[name](value) for name in names if name in _IS)


def _is_number(value: object) -> bool:
    # JSON cannot represent NaN and infinity.
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
    return {name for form in forms(items_of(schema)) for name in types(form)}


def _parsed(text: str) -> int | float | None:
    if not re.fullmatch(_NUMBER, text):
        return None
    try:
        return int(text)
    except ValueError:
        number = float(text)
    return number if math.isfinite(number) else None
