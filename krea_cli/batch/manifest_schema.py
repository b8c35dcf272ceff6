"""
Generate the JSON Schema of a manifest, for editors that complete and check it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from krea_cli.batch.manifest import GROUPS, MATRIX
from krea_cli.batch.manifest_keys import ITEM, RESERVED, Key

_TEXT = {"type": "string"}
_TEXTS = {
    "anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}],
}
# A number can also be filled in from a table, as in seed = "{seed}".
_FILLED = {"type": "string", "pattern": r"\{"}


def manifest_schema() -> dict[str, Any]:
    """
    Return the JSON Schema of a whole manifest.
    """
    item = {name: _schema(key) for name, key in ITEM.items()}
    group = {
        "each": {
            **_TEXT,
            "description": "Files or a table: one item for each file or row.",
        },
        **item,
        "matrix": _matrix(),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Manifest of krea batch",
        **_object(
            {
                "defaults": _object(item, "Values for all pictures."),
                "budget": _object(
                    {"usd": {"type": "number", "minimum": 0}},
                    "Most that all runs together may cost, by the lock.",
                ),
                "lock": _object(
                    {
                        "prompts": {
                            "type": "boolean",
                            "description": "false keeps hashes instead of prompts.",
                        },
                        "also": {
                            **_TEXTS,
                            "description": "Other locks whose results can be used.",
                        },
                    },
                    "What the lock keeps.",
                ),
                GROUPS: {
                    "type": "array",
                    "minItems": 1,
                    "items": _object(
                        group, "One picture, or one for each file or row."
                    ),
                },
            },
            "Pictures to make, each paid for once.",
        ),
        "required": [GROUPS],
    }


def _matrix() -> dict[str, Any]:
    values: dict[str, Any] = {
        name: {"type": "array", "minItems": 1, "items": _schema(key)}
        for name, key in MATRIX.items()
        if name != "params"
    }
    lists = {"type": "array", "minItems": 1}
    values["params"] = {"type": "object", "additionalProperties": lists}
    words = {
        **lists,
        "items": {"type": ["string", "number", "boolean"]},
        "description": "Values of a {word} that stands in the texts.",
    }
    return {
        **_object(
            {**dict.fromkeys(sorted(RESERVED - {"params"}), False), **values},
            "Fields and words with lists of values: every combination is made.",
        ),
        "additionalProperties": words,
    }


def _object(properties: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "properties": dict(properties),
        "additionalProperties": False,
    }


def _schema(key: Key) -> dict[str, Any]:
    schemas: dict[str, Any] = {
        "text": _TEXT,
        "texts": _TEXTS,
        "bool": {"type": "boolean"},
        "table": {"type": "object"},
        "size": {"type": "string", "pattern": "^[0-9]"},
        "number": {"anyOf": [{"type": "number"}, _FILLED]},
        "whole": {
            "anyOf": [
                {"type": "integer", "minimum": key.least, "maximum": key.most},
                _FILLED,
            ]
        },
    }
    return {**schemas[key.kind], "description": key.help}
