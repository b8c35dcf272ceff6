"""
Renew the catalog: judge what a refresh brings, and find out what is new in it.
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
    One change of a model, which is as it is now, or was before it went.

    *before* and *after* are None where there is no such model.  *added*, *removed* and
    *changed* are names of fields, for *what* "fields".
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
    A catalog document that a refresh brought.

    *kept* are models whose new description cannot be read, so that the old one stays;
    *skipped* are such models that were not known before.
    """

    document: Mapping[str, Any]
    kept: tuple[str, ...]
    skipped: tuple[str, ...]


def build_replacement(
    spec: Mapping[str, Any], known: Catalog, *, today: str
) -> Replacement:
    """
    Build the catalog that follows the *known* one from an OpenAPI document fetched
    *today* (ISO 8601).  Models that cannot be read stay as they were.

    Raises:
        InvalidResponseError: the document cannot take the place of what is known.
    """
    # With a clock that is behind, it would count as older than what it replaces.
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
    Yield every change: new models first, then removed ones, then the others.
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
    Return each field with everything known of it.
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
