"""
Build an updated catalog from a fetched API description, and list its changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from krea_cli.catalog.catalog import Catalog, bundled_date
from krea_cli.catalog.model import Model
from krea_cli.catalog.openapi import catalog_document, read_models
from krea_cli.errors import InvalidResponseError

_STAYS = "Your current list is unchanged."


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    A change of a model.

    `model` is the current model, or the former one if it was removed. `before` or
    `after` is None if the model does not exist there. For `what` "fields", `added`,
    `removed` and `changed` are field names.
    """

    what: Literal["added", "removed", "fields", "price", "deprecated"]
    model: Model
    before: Model | None
    after: Model | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """
    An updated catalog document.

    `kept` lists models whose new description is unreadable, so the old one stays.
    `skipped` lists unreadable models that are new.
    """

    document: Mapping[str, Any]
    kept: tuple[str, ...]
    skipped: tuple[str, ...]


def build_replacement(
    spec: Mapping[str, Any], known: Catalog, *, today: str
) -> Replacement:
    """
    Build the successor of the `known` catalog from an OpenAPI document.

    `today` is the day it was fetched (ISO 8601). Unreadable models keep their known
    descriptions.

    Raises:
        InvalidResponseError: the document is unusable.
    """
    # If the clock is behind, the new catalog must not count as older than the bundled
    # one.
    day = max(today, bundled_date())
    try:
        found = read_models(spec, day)
    except ValueError as exc:
        raise _unusable(str(exc)) from exc
    if not found.models:
        raise _unusable(" ".join(next(iter(found.unreadable.items()))))
    kept = [path for path in found.unreadable if path in known]
    models = {**found.models, **{path: known.entry(path) for path in kept}}
    paths = {model.path for model in known.models}
    left = len(paths & models.keys())
    if 2 * left < len(paths):
        raise _unusable(f"it has only {left} of the {len(paths)} known models")
    return Replacement(
        document=catalog_document(spec, models, day),
        kept=tuple(kept),
        skipped=tuple(path for path in found.unreadable if path not in known),
    )


def _unusable(reason: str) -> InvalidResponseError:
    return InvalidResponseError(
        f"Cannot use Krea's list of models: {reason}.", hint=_STAYS
    )


def compare_catalogs(before: Catalog, after: Catalog) -> Iterator[Change]:
    """
    Yield all changes: new models first, then removed ones, then changed ones.
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
    Return everything known about each field.
    """
    # The service generates a new default for the seed on each request.
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
