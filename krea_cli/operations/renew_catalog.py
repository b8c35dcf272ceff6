"""
Update the list of models for a command that names something it lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krea_cli.catalog import cache, renewal
from krea_cli.errors import Action, KreaError, Step, UnknownModelError

if TYPE_CHECKING:
    from krea_cli.catalog.catalog import Catalog
    from krea_cli.catalog.model import Model
    from krea_cli.cli.context import CliContext


def is_fresh(session: CliContext, catalog: Catalog) -> bool:
    """
    Return whether the list is too new to be updated; the sandbox has no other one.
    """
    age = renewal.age_in_days(catalog, session.clock.wall())
    return session.settings.sandbox or age < renewal.FRESH_DAYS


def renew_catalog(session: CliContext) -> Catalog | None:
    """
    Fetch the newest list of models if the one at hand is older than a day.

    Raises:
        KreaError: it cannot be fetched or used.
    """

    def store(text: str) -> None:
        if session.folders.has_cache:
            cache.store(session.folders.cache, session.origin, text)

    return renewal.renew_if_outdated(
        session.catalog,
        fetch=lambda: renewal.fetch_in_time(session.connect(None).openapi),
        store=store,
        now=session.clock.wall(),
        note=session.out.note,
    )


def find_model(session: CliContext, name: str) -> Model:
    """
    Return a model, from a newer list if the one at hand lacks it.

    Raises:
        UnknownModelError: no list has it, or several models match.
    """
    try:
        return session.catalog.find(name)
    except UnknownModelError as error:
        if is_fresh(session, session.catalog):
            raise
        try:
            newer = renew_catalog(session)
        except KreaError as failure:
            age = f"The list of models is from {session.catalog.date}."
            reason = f"{age} It cannot be updated: {failure.message}"
            raise error.but(reason, Step(Action.REFRESH_MODELS)) from None
        if newer is None:
            raise
        return newer.find(name)
