"""
Update the list of models if a command refers to something it lacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krea_cli.catalog import cache, renewal
from krea_cli.errors import Action, KreaError, Step, UnknownModelError

if TYPE_CHECKING:
    from krea_cli.catalog.catalog import Catalog
    from krea_cli.catalog.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRenewal:
    """
    Fetches the current list of models, at most once a day.

    `fetch` returns the API description. `folder` caches the list for `origin`; without
    a folder, only this run uses it. `now` is the wall clock. `is_final` means that
    there is no newer list, as in the sandbox.
    """

    catalog: Catalog
    fetch: Callable[[], Any]
    folder: Path | None
    origin: str
    now: Callable[[], float]
    note: Callable[[str], None]
    is_final: bool = False

    def is_fresh(self, catalog: Catalog) -> bool:
        """
        Return whether a list is too new to be updated.
        """
        age = renewal.age_in_days(catalog, self.now())
        return self.is_final or age < renewal.FRESH_DAYS

    def renew(self) -> Catalog | None:
        """
        Return the current list, or None if the known one is at most a day old.

        Raises:
            KreaError: the list cannot be fetched or used.
        """

        def store(text: str) -> None:
            if self.folder is not None:
                cache.store(self.folder, self.origin, text)

        return renewal.renew_if_outdated(
            self.catalog,
            fetch=lambda: renewal.fetch_in_time(self.fetch),
            store=store,
            now=self.now(),
            note=self.note,
        )

    def find(self, name: str) -> Model:
        """
        Return a model, from an updated list if the known one lacks it.

        Raises:
            UnknownModelError: no list has the model, or several models match.
        """
        try:
            return self.catalog.find(name)
        except UnknownModelError as error:
            if self.is_fresh(self.catalog):
                raise
            try:
                newer = self.renew()
            except KreaError as failure:
                age = f"The list of models is from {self.catalog.date}."
                reason = f"{age} Updating it failed: {failure.message}"
                raise error.but(reason, Step(Action.REFRESH_MODELS)) from None
            if newer is None:
                raise
            return newer.find(name)
