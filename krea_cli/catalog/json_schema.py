"""
How a JSON Schema is read: its types, its alternatives, and which part of it is for
which part of a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]


def types(schema: Schema) -> Sequence[str]:
    """
    The JSON types that the schema itself names, none when it names none.
    """
    named = schema.get("type", ())
    return (named,) if isinstance(named, str) else tuple(named)


def forms(schema: Schema) -> list[Schema]:
    """
    The schema itself and its alternatives, as in "text or null".
    """
    return [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]


def is_url(schema: Schema) -> bool:
    return any(form.get("format") == "uri" for form in forms(schema))


def map_texts(
    schema: Schema | None,
    value: Any,
    at: str,
    change: Callable[[str, Schema | None, str], Any],
) -> Any:
    """
    The value with each text in it replaced by what *change* makes of it.  That is given
    the place, such as "style_images[0].url", the schema of the text (None where nothing
    is known of it), and the text; *at* is the place of the value itself.
    """
    if isinstance(value, str):
        return change(at, schema, value)
    if isinstance(value, list):
        items = _first(schema, "items")
        return [
            map_texts(items, item, f"{at}[{index}]", change)
            for index, item in enumerate(value)
        ]
    if isinstance(value, dict):
        fields = _first(schema, "properties") or {}
        return {
            name: map_texts(
                fields.get(name), item, f"{at}.{name}" if at else name, change
            )
            for name, item in value.items()
        }
    return value


def _first(schema: Schema | None, keyword: str) -> Schema | None:
    found = (form[keyword] for form in forms(schema or {}) if keyword in form)
    return next(found, None)
