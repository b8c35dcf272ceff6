"""
The catalog that a refresh left in the cache folder, one for each origin of the API:
what a service says of itself, above all its prices, is true of no other.

It is used while it is not older than the one that krea came with.  What cannot be used
there is passed over: krea then works as if there had been no refresh.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from krea_cli.catalog.catalog import Catalog, bundled_date
from krea_cli.errors import StorageError


def load_newest(folder: Path, origin: str) -> Catalog:
    """
    The catalog in force at an origin such as "https://api.krea.ai": the one cached
    for it, else the one that krea came with.
    """
    return _read(_cache_path(folder, origin)) or Catalog.bundled()


def store(folder: Path, origin: str, text: str) -> None:
    """
    Put the catalog of an origin into the cache folder, where it is whole or the
    former one stays.

    Raises:
        StorageError: it cannot be written there.
    """
    import tempfile  # not for those who only read

    target = _cache_path(folder, origin)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(".part", ".models.", folder)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as file:
                file.write(text)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as exc:
        raise StorageError(
            f"The models cannot be kept in {folder}: {exc.strerror or exc}.",
            hint="KREA_CACHE_DIR names another folder for them.",
        ) from exc


def _cache_path(folder: Path, origin: str) -> Path:
    return folder / f"models-{quote(origin.removeprefix('https://'), safe='')}.json"


def _read(path: Path) -> Catalog | None:
    try:
        document: Mapping[str, Any] = json.loads(path.read_bytes())
        from krea_cli.catalog import sanitize

        if document["date"] < bundled_date():
            return None
        models = {
            name: sanitize.sanitize_model(name, data)
            for name, data in document["models"].items()
        }
        return Catalog({**document, "models": models})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
