"""
The catalogue that a refresh left in the cache folder.

It is used while it is not older than the one that krea came with.  What cannot be read
there is passed over: krea then works as if there had been no refresh.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from krea_cli.catalogue.lookup import Catalogue, bundled_date
from krea_cli.errors import StorageError

NAME = "models.json"


def newest(folder: Path) -> Catalogue:
    """
    The catalogue in force: the cached one, else the one that krea came with.
    """
    return _cached(folder / NAME) or Catalogue.bundled()


def keep(folder: Path, text: str) -> None:
    """
    Put a catalogue into the cache folder, where it is whole or the former one stays.

    Raises:
        StorageError: it cannot be written there.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(".part", f".{NAME}.", folder)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as file:
                file.write(text)
            part.replace(folder / NAME)
        finally:
            part.unlink(missing_ok=True)
    except OSError as exc:
        raise StorageError(
            f"The models cannot be kept in {folder}: {exc.strerror or exc}.",
            hint="KREA_CACHE_DIR names another folder for them.",
        ) from exc


def _cached(path: Path) -> Catalogue | None:
    try:
        document: Mapping[str, Any] = json.loads(path.read_bytes())
        return Catalogue(document) if document["date"] >= bundled_date() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
