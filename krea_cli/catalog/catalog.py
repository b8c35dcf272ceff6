"""
Find models by name, without a request to the API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from krea_cli.catalog.model import Model
from krea_cli.catalog.schema_text import listed_words
from krea_cli.errors import Action, Hint, Step, UnknownModelError

FORMAT = 1

_BUNDLED = Path(__file__).with_name("models.json")

# Models that the service removed or renamed, but that many guides still mention.
_SUCCESSORS = {
    "image/bytedance/seedream-3": "bytedance/seedream-5-lite",
    "image/google/nano-banana-flash": "google/nano-banana-2",
    "video/bytedance/seedance-1.0-lite": "bytedance/seedance-1.0-pro-fast",
}

_NEAR = 0.75


class Catalog:
    """
    All models by path, as of `date` (ISO 8601).
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        """
        Read a document built by `openapi.build_catalog`.

        Raises:
            ValueError: the document has a format that this version cannot read.
        """
        if document.get("format") != FORMAT:
            raise ValueError(
                f"the catalog has format {document.get('format')}, not {FORMAT}"
            )
        self.date: str = document["date"]
        self._entries: Mapping[str, Mapping[str, Any]] = document["models"]
        self._models = {
            path: Model.from_json(path, data) for path, data in self._entries.items()
        }

    @classmethod
    @cache
    def bundled(cls) -> Catalog:
        """
        Return the catalog that is part of this version of krea. It is read only once.
        """
        return cls(json.loads(_BUNDLED.read_bytes()))

    @property
    def models(self) -> tuple[Model, ...]:
        """
        Return all models in the order of the API.
        """
        return tuple(self._models.values())

    def __getitem__(self, path: str) -> Model:
        """
        Return the model with this exact path.

        Raises:
            KeyError: there is no such model.
        """
        return self._models[path]

    def __contains__(self, path: object) -> bool:
        return path in self._models

    def entry(self, path: str) -> Mapping[str, Any]:
        """
        Return the entry of a model in the catalog document.

        Raises:
            KeyError: no model has this exact path.
        """
        return self._entries[path]

    def find(self, name: str) -> Model:
        """
        Find the one model whose path ends with `name`, starting at a slash.

        Case, "_" instead of "-" and a leading "generate/" are ignored.

        Raises:
            UnknownModelError: no model or several models match. The hints list
                candidates.
        """
        wanted = _normalized_name(name)
        found = [model for model in self.models if _ends(model.path, wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownModelError(
                f"'{name}' matches several models.",
                hint=f"Use one of: {', '.join(model.path for model in found)}",
            )
        for path, successor in _SUCCESSORS.items():
            if _ends(path, wanted):
                raise UnknownModelError(
                    f"Model '{name}' is no longer available.",
                    hint=f"Use its successor: -m {successor}",
                )
        raise UnknownModelError(
            f"Unknown model '{name}'.", hint=_hint(wanted, self.models)
        )


def bundled_date() -> str:
    """
    Return the date of the bundled catalog without loading its models.
    """
    with _BUNDLED.open(encoding="ascii") as file:
        head = json.loads(f"{file.readline()}}}}}")
    return str(head["date"])


def _normalized_name(name: str) -> str:
    folded = name.strip().strip("/").lower().replace("_", "-")
    return folded.removeprefix("generate/")


def _ends(path: str, wanted: str) -> bool:
    return f"/{_normalized_name(path)}".endswith(f"/{wanted}")


def _hint(wanted: str, models: Sequence[Model]) -> list[Hint]:
    """
    Suggest up to three models with similar names.
    """
    nearness = {model.id: _nearness(wanted, model.path) for model in models}
    near = sorted(nearness, key=lambda name: -nearness[name])[:3]
    named = [name for name in near if nearness[name] >= _NEAR]
    listed = Step(Action.LIST_MODELS)
    if not named:
        return [listed]
    return [f"Did you mean {listed_words(named)}?", listed]


def _nearness(wanted: str, path: str) -> float:
    """
    Return how similar `wanted` is to the most similar part of the path, from 0 to 1.

    It is 1 if a word of the path begins with the name, as "krea/krea-2/large" has
    "krea-2" and "krea-2-large".
    """
    from difflib import SequenceMatcher

    path = _normalized_name(path)
    words = "-".join(re.split("[/ -]+", wanted))
    if words and f"-{words}" in f"-{path.replace('/', '-')}":
        return 1
    count, parts = wanted.count("/") + 1, path.split("/")
    runs = ["/".join(parts[i : i + count]) for i in range(len(parts))]
    return max(SequenceMatcher(None, run, wanted).ratio() for run in runs)
