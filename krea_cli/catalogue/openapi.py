"""
An OpenAPI document into the document of the catalogue (`models.json`).

Run as `python -m krea_cli.catalogue.openapi SPEC > models.json`.  Of each model only
what the catalogue answers is kept: its schema without prose, the names that its fields
had before the rename, its prices.  Knows nothing of HTTP.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from krea_cli.catalogue.lookup import FORMAT

_ROUTE = re.compile(r"/generate/([a-z0-9]+(?:/[A-Za-z0-9][A-Za-z0-9._-]*)+)")
_CHECKED = frozenset(
    {
        "type",
        "enum",
        "const",
        "default",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "minLength",
        "maxLength",
        "format",
        "required",
        "minItems",
        "maxItems",
        "deprecated",
    }
)


def build(spec: Mapping[str, Any]) -> dict[str, Any]:
    """
    The catalogue document of an OpenAPI document: `format`, `spec` (what the document
    says of itself) and `models`, by path such as "image/google/nano-banana-pro".

    Raises:
        ValueError: there is no model in it, or one without a closed object schema.
    """
    models = {}
    for route, item in _mapping(spec, "paths").items():
        match = _ROUTE.fullmatch(route)
        if match and (operation := _mapping(item, "post")):
            try:
                models[match[1]] = _model(match[1], operation)
            except (AttributeError, KeyError, TypeError) as error:
                raise ValueError(f"{match[1]} is described in another form") from error
    if not models:
        raise ValueError("the OpenAPI document has no POST /generate/... operation")
    info = _mapping(spec, "info")
    told = {key: str(info[key]) for key in ("version", "description") if key in info}
    return {"format": FORMAT, "spec": told, "models": models}


def dumps(document: Mapping[str, Any]) -> str:
    """
    The document as text, one model a line, so that a change shows as one line.
    """
    head = {key: value for key, value in document.items() if key != "models"}
    lines = [
        f"{_compact(path)}:{_compact(model)}"
        for path, model in document["models"].items()
    ]
    return f'{_compact(head)[:-1]},"models":{{\n' + ",\n".join(lines) + "\n}}\n"


def _model(path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    content = _mapping(operation, "requestBody", "content", "application/json")
    schema = _mapping(content, "schema")
    closed = schema.get("type") == "object" and (
        schema.get("additionalProperties") is False
    )
    if not (closed and _mapping(schema, "properties")):
        raise ValueError(f"{path} has no closed object schema for its request")
    model = {
        "name": str(operation.get("summary") or path),
        "schema": _strip(schema),
        "aliases": _aliases(operation, schema["properties"]),
        "prices": _prices(_mapping(operation, "x-krea-pricing")),
        "deprecated": operation.get("deprecated") is True,
    }
    return {key: value for key, value in model.items() if value}


def _strip(schema: Mapping[str, Any]) -> dict[str, Any]:
    """
    The schema with only the keywords that `validation` checks or tells.
    """
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: _strip(field) for name, field in value.items()}
        elif key == "items":
            kept[key] = _strip(value)
        elif key in {"anyOf", "oneOf"}:
            kept[key] = [_strip(form) for form in value]
        elif (
            key in _CHECKED
            or (key == "additionalProperties" and value is False)
            or (key == "pattern" and _is_regex(value))
        ):
            kept[key] = value
    return kept


def _is_regex(pattern: str) -> bool:
    # They are JavaScript's; one that Python cannot read is left to the service.
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _aliases(operation: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, str]:
    """
    The dropped names of fields that this model still has, with today's name.
    """
    renames = {
        alias["from"]: alias["to"]
        for alias in operation.get("x-krea-deprecated-field-aliases", ())
    }
    return {
        old: new for old, new in renames.items() if new in fields and old not in fields
    }


def _prices(pricing: Mapping[str, Any]) -> dict[str, Any]:
    """
    The price points in USD for a request; another currency or unit is no known price.
    """
    if (pricing.get("currency"), pricing.get("unit")) != ("USD", "request"):
        return {}
    points = [
        [point["amount"], point.get("dimensions", {})]
        for point in pricing.get("price_points", ())
    ]
    if not points:
        return {}
    prices = {
        "points": points,
        "date": pricing.get("as_of"),
        "incomplete": pricing.get("incomplete") is True,
    }
    return {key: value for key, value in prices.items() if value}


def _mapping(value: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    sys.stdout.write(dumps(build(json.loads(Path(sys.argv[1]).read_bytes()))))
