"""
From one state of the catalog to the next: whether what a refresh brings is whole
enough to be used, and what is new in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from krea_cli.catalog.catalog import Catalog, bundled_date
from krea_cli.catalog.model import Model
from krea_cli.catalog.openapi import build_catalog
from krea_cli.errors import InvalidResponseError

_STAYS = "The models known so far stay in force."


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    One thing that changed about the model, which is as it is now, or was at last;
    *before* and *after* are None where there is no such model.

    *added*, *removed* and *changed* are names of fields, when *what* is "fields".
    """

    what: Literal["added", "removed", "fields", "price", "deprecated"]
    model: Model
    before: Model | None
    after: Model | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def build_replacement(
    spec: Mapping[str, Any], known: Catalog, *, today: str
) -> dict[str, Any]:
    """
    The catalog document of an OpenAPI document that was fetched *today* (ISO 8601).

    Raises:
        AnswerError: it is no document that could take the place of what is known.
    """
    try:
        # With a clock that is behind it would count as older than what it replaces.
        document = build_catalog(spec, max(today, bundled_date()))
    except ValueError as exc:
        raise InvalidResponseError(
            f"The service's list of models cannot be used: {exc}.", hint=_STAYS
        ) from exc
    paths = {model.path for model in known.models}
    left = len(paths & document["models"].keys())
    if 2 * left < len(paths):
        raise InvalidResponseError(
            f"The service's list of models has only {left} of the {len(paths)} known.",
            hint=_STAYS,
        )
    return document


def compare_catalogs(before: Catalog, after: Catalog) -> Iterator[Change]:
    """
    What changed: the models that came, those that went, then the others.
    """
    old = {model.path: model for model in before.models}
    new = {model.path: model for model in after.models}
    for path, model in new.items():
        if path not in old:
            yield Change(what="added", model=model, before=None, after=model)
    for path, model in old.items():
        if path not in new:
            yield Change(what="removed", model=model, before=model, after=None)
    for path, model in new.items():
        if path in old:
            yield from _changes(old[path], model)


def _changes(before: Model, after: Model) -> Iterator[Change]:
    old, new = _fields(before), _fields(after)
    if old != new:
        yield Change(
            what="fields",
            model=after,
            before=before,
            after=after,
            added=tuple(name for name in new if name not in old),
            removed=tuple(name for name in old if name not in new),
            changed=tuple(
                name for name in new if new[name] != old.get(name, new[name])
            ),
        )
    if _prices(before) != _prices(after):
        yield Change(what="price", model=after, before=before, after=after)
    if after.deprecated and not before.deprecated:
        yield Change(what="deprecated", model=after, before=before, after=after)


def _fields(model: Model) -> dict[str, Any]:
    """
    Each field with all that is known of it.
    """
    # The service draws the default of a seed anew each time that it is asked.
    return {
        name: (
            name in model.required,
            {**schema, "default": None} if name == "seed" else schema,
        )
        for name, schema in model.fields.items()
    }


def _prices(model: Model) -> set[str]:
    points = ([point.amount, point.dimensions] for point in model.prices)
    return {json.dumps(point, sort_keys=True) for point in points}
