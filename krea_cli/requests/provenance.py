"""
Describe where the inputs of a request come from, in a form that can be stored.

It has neither their bytes nor URLs that may contain a key or signature.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from krea_cli.inputs.local_file import Image, LocalFile, OriginalFile
from krea_cli.journal.redaction import without_secrets
from krea_cli.runtime.json_tree import Place


def describe_inputs(images: Iterable[tuple[Place, Image]]) -> list[dict[str, Any]]:
    """
    Return an object for each input.

    "at" is its place in the body. "path" is the absolute path of a file, "-" for
    standard input, "data:" for a data URI, a URL, or None for a URL that must not be
    stored. "sha256" is the hash of the file as given, or None for a URL.
    """
    return [{"at": list(place), **_origin(image)} for place, image in images]


def _origin(image: Image) -> dict[str, str | None]:
    if isinstance(image, LocalFile):
        original = image.original or OriginalFile(image.name, image)
        return {"path": original.path, "sha256": original.sha256}
    is_bare = image.url == without_secrets(image.url)
    return {"path": image.url if is_bare else None, "sha256": None}
