"""
Find models by name, without a request to the API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        self._models: dict[str, Model] = {}

    @classmethod
    @cache
    def bundled(cls) -> Catalog:
        """
        Return the catalog that is part of this version of krea. It is read only once,
        and each model is parsed when it is first needed.
        """
        head, *lines, _ = _BUNDLED.read_bytes().splitlines()
        return cls({**_parse_head(head), "models": _ModelLines(lines)})

    @property
    def models(self) -> tuple[Model, ...]:
        """
        Return all models in the order of the API.
        """
        return tuple(map(self.__getitem__, self._entries))

    def __getitem__(self, path: str) -> Model:
        """
        Return the model with this exact path.

        Raises:
            KeyError: there is no such model.
        """
        if path not in self._models:
            self._models[path] = Model.from_json(path, self._entries[path])
        return self._models[path]

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def with_id(self, model_id: str) -> list[Model]:
        """
        Return the models with this exact id, at most one of each kind.
        """
        return [self[p] for p in self._entries if p.partition("/")[2] == model_id]

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
        found = [path for path in self._entries if _ends(path, wanted)]
        if len(found) == 1:
            return self[found[0]]
        if found:
            raise UnknownModelError(
                f"'{name}' matches several models.",
                hint=f"Use one of: {', '.join(found)}",
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
    with _BUNDLED.open("rb") as file:
        return str(_parse_head(file.readline())["date"])


class _ModelLines(Mapping[str, Mapping[str, Any]]):
    """
    The models of the bundled document, which has a line for each: `"PATH":{...},`.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        pairs = (line.strip(b",").split(b":", 1) for line in lines)
        self._lines = {path.decode().strip('"'): entry for path, entry in pairs}

    def __getitem__(self, path: str) -> Mapping[str, Any]:
        entry: Mapping[str, Any] = json.loads(self._lines[path])
        return entry

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


def _parse_head(line: bytes) -> dict[str, Any]:
    """
    Parse the first line of the bundled document, which has everything but the models.
    """
    head: dict[str, Any] = json.loads(line + b"}}")
    return head


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
