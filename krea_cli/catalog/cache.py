"""
The catalogue that a refresh left in the cache folder, one for each origin of the API:
what a service says of itself, above all its prices, is true of no other.

It is used while it is not older than the one that krea came with.  What cannot be used
there is passed over: krea then works as if there had been no refresh.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from krea_cli.catalog.catalog import Catalogue, bundled_date
from krea_cli.errors import StorageError
from krea_cli.files.private_dir import make_private_dir


def newest(folder: Path, origin: str) -> Catalogue:
    """
    The catalogue in force at an origin such as "https://api.krea.ai": the one cached
    for it, else the one that krea came with.
    """
    return _cached(_place(folder, origin)) or Catalogue.bundled()


def keep(folder: Path, origin: str, text: str) -> None:
    """
    Put the catalogue of an origin into the cache folder, where it is whole or the
    former one stays.

    Raises:
        StorageError: it cannot be written there.
    """
    from krea_cli.files.atomic_file import replace_file  # not for those who only read

    target = _place(folder, origin)
    try:
        make_private_dir(folder)
        replace_file(target, text.encode("ascii"))
    except OSError as exc:
        raise StorageError(
            f"The models cannot be kept in {folder}: {exc.strerror or exc}.",
            hint="KREA_CACHE_DIR names another folder for them.",
        ) from exc


def _place(folder: Path, origin: str) -> Path:
    return folder / f"models-{quote(origin.removeprefix('https://'), safe='')}.json"


def _cached(path: Path) -> Catalogue | None:
    try:
        document: Mapping[str, Any] = json.loads(path.read_bytes())
        from krea_cli.catalog import sanitize

        if document["date"] < bundled_date():
            return None
        models = {
            name: sanitize.model(name, data)
            for name, data in document["models"].items()
        }
        return Catalogue({**document, "models": models})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
