"""
Cache refreshed catalogs, one for each API origin.

The models and prices of one origin say nothing about another. A cached catalog is used
unless the bundled one is newer. Unusable files are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from krea_cli.catalog.catalog import Catalog, bundled_date
from krea_cli.errors import StorageError
from krea_cli.files.private_dir import make_private_dir


def load_newest(folder: Path, origin: str) -> Catalog:
    """
    Return the newest catalog for an origin such as "https://api.krea.ai".

    This is the cached one, or else the bundled one.
    """
    return _read(_cache_path(folder, origin)) or Catalog.bundled()


def store(folder: Path, origin: str, text: str) -> None:
    """
    Write the catalog of an origin to the cache.

    If writing fails, the previous one stays.

    Raises:
        StorageError: the file cannot be written.
    """
    from krea_cli.files.atomic_file import replace_file  # only needed to write

    target = _cache_path(folder, origin)
    try:
        make_private_dir(folder)
        replace_file(target, text.encode("ascii"))
    except OSError as exc:
        raise StorageError(
            f"Cannot save the list of models in {folder}: {exc.strerror or exc}.",
            hint="Set KREA_CACHE_DIR to another folder.",
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
        catalog = Catalog({**document, "models": models})
        # Parse all of them now: a file with a broken model is not used.
        for name in models:
            catalog[name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return catalog
