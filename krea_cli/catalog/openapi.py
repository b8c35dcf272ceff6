"""
An OpenAPI document into the document of the catalog (`models.json`).

Run as `python -m krea_cli.catalog.openapi SPEC [DATE] > models.json`.  Of each model
only what the catalog answers is kept: its schema without prose, the names that its
fields had before the rename, its prices.  Knows nothing of HTTP.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from krea_cli.catalog import sanitize
from krea_cli.catalog.catalog import FORMAT

_ROUTE = re.compile(r"/generate/([a-z0-9]+(?:/[A-Za-z0-9][A-Za-z0-9._-]*)+)")


def build_catalog(spec: Mapping[str, Any], day: str) -> dict[str, Any]:
    """
    The catalog document of an OpenAPI document as it was on that *day* (ISO 8601):
    `format`, `date`, `spec` (what the document says of itself) and `models`, by path
    such as "image/google/nano-banana-pro".

    Raises:
        ValueError: there is no model in it, or one without a closed object schema.
    """
    models = {}
    for route, item in _mapping(spec, "paths").items():
        match = _ROUTE.fullmatch(route)
        if match and (operation := _mapping(item, "post")):
            try:
                models[match[1]] = _model(match[1], operation, day)
            except (AttributeError, KeyError, TypeError, RecursionError) as error:
                raise ValueError(f"{match[1]} is described in another form") from error
    if not models:
        raise ValueError("the OpenAPI document has no POST /generate/... operation")
    info = _mapping(spec, "info")
    told = {key: str(info[key]) for key in ("version", "description") if key in info}
    return {"format": FORMAT, "date": day, "spec": told, "models": models}


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


def _model(path: str, operation: Mapping[str, Any], day: str) -> dict[str, Any]:
    content = _mapping(operation, "requestBody", "content", "application/json")
    schema = _mapping(content, "schema")
    fields = _mapping(schema, "properties")
    model = {
        "name": str(operation.get("summary") or path),
        "schema": schema,
        "aliases": _aliases(operation, fields),
        "prices": _prices(_mapping(operation, "x-krea-pricing"), day),
        "deprecated": operation.get("deprecated") is True,
    }
    told = {key: value for key, value in model.items() if value or key == "schema"}
    return sanitize.sanitize_model(path, told)


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


def _prices(pricing: Mapping[str, Any], day: str) -> dict[str, Any]:
    """
    The price points in USD for a request; another currency or unit is no known price,
    nor is an amount of 0, and with an amount that cannot be one none is.  One without a
    date of its own was true on the *day*.
    """
    if (pricing.get("currency"), pricing.get("unit")) != ("USD", "request"):
        return {}
    told = pricing.get("price_points") or ()
    points = [
        [point["amount"], {**(point.get("dimensions") or {})}]
        for point in told
        if point["amount"] != 0
    ]
    if not (points and all(sanitize.is_price(amount) for amount, _ in points)):
        return {}
    prices = {
        "points": points,
        "date": str(pricing.get("as_of") or day),
        "incomplete": pricing.get("incomplete") is True or len(points) < len(told),
    }
    return {key: value for key, value in prices.items() if value}


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
