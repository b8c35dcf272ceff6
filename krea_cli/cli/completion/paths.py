"""
Complete the names of files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from krea_cli import media

_MAX_ENTRIES = 2000


def files(word: str, kind: str) -> Iterator[str]:
    """
    Yield the folders, with a slash at the end, and the files of a kind, such as
    "image", whose path begins with `word`.
    """
    folder, name = os.path.split(word)
    start = word[: len(word) - len(name)]
    try:
        entries = sorted(os.scandir(folder or "."), key=lambda entry: entry.name)
    except (OSError, ValueError):
        return
    for entry in entries[:_MAX_ENTRIES]:
        if entry.name.startswith(".") and not name.startswith("."):
            continue
        found = media.of_extension(entry.name.rpartition(".")[2])
        if _is_folder(entry):
            yield f"{start}{entry.name}/"
        elif found is not None and found.kind == kind:
            yield f"{start}{entry.name}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
