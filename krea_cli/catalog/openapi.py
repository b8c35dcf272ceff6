"""
Build the catalog document (`models.json`) from an OpenAPI document.

Run as `python -m krea_cli.catalog.openapi SPEC [DATE] > models.json`. The document
keeps what krea uses: the schema of each model without descriptions, older names of
fields, and prices. This module does not fetch anything.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from krea_cli.catalog import sanitize
from krea_cli.catalog.catalog import FORMAT
from krea_cli.catalog.json_schema import fields_of, types
from krea_cli.catalog.resolve_schema import SchemaResolver

_ROUTE = re.compile(r"/generate/([a-z0-9]+(?:/[A-Za-z0-9][A-Za-z0-9._-]*)+)")
# Names of file fields, for schemas that do not declare a URL format.
_FILE_NAME = re.compile(r"(?:image|video|audio|mesh)s?$|_urls?$")
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json\b|\*/\*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReadModels:
    """
    The models of an OpenAPI document by path, and the errors of unreadable models.
    """

    models: Mapping[str, dict[str, Any]]
    unreadable: Mapping[str, str]


def build_catalog(spec: Mapping[str, Any], day: str) -> dict[str, Any]:
    """
    Build the catalog document from an OpenAPI document fetched on `day` (ISO 8601).

    Raises:
        ValueError: the document has no models, or one is unreadable.
    """
    found = read_models(spec, day)
    for path, reason in found.unreadable.items():
        raise ValueError(f"{path} {reason}")
    return catalog_document(spec, found.models, day)


def catalog_document(
    spec: Mapping[str, Any], models: Mapping[str, Any], day: str
) -> dict[str, Any]:
    """
    Return a catalog document.

    It has `format`, `date`, `spec` (identity of the OpenAPI document) and `models` by
    path, such as "image/google/nano-banana-pro".
    """
    info = _mapping(spec, "info")
    about = {key: str(info[key]) for key in ("version", "description") if key in info}
    return {"format": FORMAT, "date": day, "spec": about, "models": models}


def read_models(spec: Mapping[str, Any], day: str) -> ReadModels:
    """
    Read every model of an OpenAPI document. Errors in one do not affect the others.

    Raises:
        ValueError: the document has no models.
    """
    models, unreadable = {}, {}
    for route, item in _mapping(spec, "paths").items():
        if not (match := _ROUTE.fullmatch(route)):
            continue
        path = match[1]
        try:
            resolver = SchemaResolver(spec)
            operation = _mapping(resolver.follow(item), "post")
            if operation:
                models[path] = _read_model(path, operation, resolver, day)
        except ValueError as error:
            unreadable[path] = str(error).removeprefix(f"{path} ")
        except (AttributeError, KeyError, TypeError, RecursionError, OverflowError):
            unreadable[path] = "has an unexpected format"
    if not (models or unreadable):
        raise ValueError("the list contains no models")
    return ReadModels(models, unreadable)


def dumps(document: Mapping[str, Any]) -> str:
    """
    Format the document with one model per line, so that a diff shows changed models.
    """
    head = {key: value for key, value in document.items() if key != "models"}
    lines = [
        f"{_compact(path)}:{_compact(model)}"
        for path, model in document["models"].items()
    ]
    return f'{_compact(head)[:-1]},"models":{{\n' + ",\n".join(lines) + "\n}}\n"


def _read_model(
    path: str, operation: Mapping[str, Any], resolver: SchemaResolver, day: str
) -> dict[str, Any]:
    body = _mapping(resolver.follow(operation.get("requestBody")), "content")
    content = [each for kind, each in body.items() if _JSON.match(kind)]
    if not content:
        raise ValueError("describes no JSON request")
    schema = _with_url_formats(resolver.resolve(content[0]["schema"]))
    model = {
        "name": str(operation.get("summary") or path),
        "schema": schema,
        "aliases": _aliases(operation, fields_of(schema)),
        "prices": _prices(operation.get("x-krea-pricing"), day),
        "deprecated": operation.get("deprecated") is True,
    }
    given = {key: value for key, value in model.items() if value or key == "schema"}
    return sanitize.sanitize_model(path, given)


def _with_url_formats(schema: dict[str, Any]) -> dict[str, Any]:
    """
    Declare the URL format for text fields whose names say that they take files.
    """
    if "properties" not in schema:
        return schema
    fields = {
        name: _as_url(field) if _FILE_NAME.search(name) else field
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": fields}


def _as_url(schema: dict[str, Any]) -> dict[str, Any]:
    if _is_any_text(schema):
        return {**schema, "format": "uri"}
    changed = dict(schema)
    if "items" in schema:
        changed["items"] = _as_url(schema["items"])
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            changed[keyword] = [_as_url(each) for each in schema[keyword]]
    return changed


def _is_any_text(schema: Mapping[str, Any]) -> bool:
    return types(schema) in (("string",), ("string", "null")) and not (
        {"enum", "const", "format", "pattern"} & schema.keys()
    )


def _aliases(operation: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, str]:
    """
    Return the older names of fields that this model still has, mapped to current names.
    """
    given = operation.get("x-krea-deprecated-field-aliases") or ()
    if isinstance(given, Mapping):
        renames = dict(given)
    else:
        renames = {alias["from"]: alias["to"] for alias in given}
    return {
        old: new for old, new in renames.items() if new in fields and old not in fields
    }


def _prices(pricing: Any, day: str) -> dict[str, Any]:
    """
    Return the price points in USD, per request or per second of the result.

    Prices in other currencies or units are unknown, and so are unreadable ones. Amounts
    of 0 are left out. Prices without their own date apply on `day`.
    """
    if not isinstance(pricing, Mapping) or pricing.get("currency") != "USD":
        return {}
    unit = pricing.get("unit")
    given = pricing.get("price_points")
    if unit not in ("request", "second") or not isinstance(given, list):
        return {}
    points = []
    for point in given:
        amount = _amount(_mapping(point).get("amount"))
        dimensions = _mapping(point).get("dimensions") or {}
        if amount == 0:
            continue
        if not sanitize.is_price(amount) or not isinstance(dimensions, Mapping):
            return {}
        points.append([amount, {**dimensions}])
    if not points:
        return {}
    prices = {
        "points": points,
        "date": str(pricing.get("as_of") or day),
        "incomplete": pricing.get("incomplete") is True or len(points) < len(given),
        "unit": unit if unit != "request" else "",
    }
    return {key: value for key, value in prices.items() if value}


def _amount(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value


def _mapping(value: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _print(path: str, day: str = "") -> None:
    spec = json.loads(Path(path).read_bytes())
    as_of = date.fromisoformat(day) if day else datetime.now(UTC).date()
    sys.stdout.write(dumps(build_catalog(spec, as_of.isoformat())))


if __name__ == "__main__":
    _print(*sys.argv[1:])
