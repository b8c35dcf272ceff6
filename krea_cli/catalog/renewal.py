"""
Fetch the current list of models if the known one may be outdated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

from krea_cli.catalog.catalog import Catalog
from krea_cli.catalog.openapi import dumps
from krea_cli.catalog.refresh import build_replacement
from krea_cli.errors import ConnectionFailedError, StorageError
from krea_cli.runtime.clock import run_with_timeout

# A model announced yesterday is worth one free request.
FRESH_DAYS = 1


# Users should not wait longer: the new list may still lack the model.
_MAX_SECONDS = 5.0


def fetch_in_time(fetch: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """
    Return the result of `fetch`, within 5 seconds.

    Raises:
        ConnectionFailedError: it takes longer.
    """
    try:
        return run_with_timeout(_MAX_SECONDS, fetch)
    except TimeoutError:
        raise ConnectionFailedError(
            f"The list of models did not arrive within {_MAX_SECONDS:.0f} s."
        ) from None


def age_in_days(catalog: Catalog, now: float) -> int:
    """
    Return the age of the catalog in days at `now`, in seconds since the epoch.
    """
    return (_day(now) - date.fromisoformat(catalog.date)).days


def renew_if_outdated(
    catalog: Catalog,
    *,
    fetch: Callable[[], Mapping[str, Any]],
    store: Callable[[str], None],
    now: float,
    note: Callable[[str], None],
) -> Catalog | None:
    """
    Return the current catalog, or None if the known one is at most a day old.

    `fetch` returns the OpenAPI document. `store` saves the new catalog for later runs.
    `note` is called with a message for the user before fetching.

    Raises:
        KreaError: the document cannot be fetched or used.
    """
    if age_in_days(catalog, now) < FRESH_DAYS:
        return None
    note(f"Updating the list of models (yours is from {catalog.date}).")
    replacement = build_replacement(fetch(), catalog, today=_day(now).isoformat())
    # This run can use the list even if it cannot be stored.
    with suppress(StorageError):
        store(dumps(replacement.document))
    return Catalog(replacement.document)


def _day(now: float) -> date:
    return datetime.fromtimestamp(now, UTC).date()
