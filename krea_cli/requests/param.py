"""
Parse a field on the command line: KEY=VALUE or KEY:=JSON.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from krea_cli.catalog.schema_text import preview_json
from krea_cli.errors import UsageError
from krea_cli.runtime.strict_json import parse_strict_json


class Param(NamedTuple):
    """
    A field as given by the user: text to convert, or a JSON value.

    `source` is the option it comes from, such as "-p seed".
    """

    name: str
    value: Any
    is_json: bool
    source: str

    @classmethod
    def parse(cls, argument: str) -> Param:
        """
        Parse KEY=VALUE or KEY:=JSON.

        Raises:
            UsageError: the argument has neither form, or an object in it has a
                duplicate key.
        """
        name, equals, value = argument.partition("=")
        if not equals or not name.strip(" :"):
            raise UsageError(
                f"-p {argument} is not KEY=VALUE or KEY:=JSON.",
                hint="Examples: -p style=oil, -p 'seed:=7'",
            )
        if not name.endswith(":"):
            return cls(name.strip(), value, is_json=False, source=f"-p {name}")
        name = name[:-1].strip()
        try:
            parsed = parse_json(value, f"-p {name}")
            return cls(name, parsed, is_json=True, source=f"-p {name}")
        except (ValueError, RecursionError) as exc:
            pos = exc.pos if isinstance(exc, json.JSONDecodeError) else 0
            at = f" (at character {pos + 1})" if pos else ""
            raise UsageError(
                f"-p {name}:= needs valid JSON{at}, not {preview_json(value)}.",
                hint=f"To send text: -p {name}=TEXT",
            ) from exc

    @staticmethod
    def name_of(argument: str) -> str:
        """
        Return the name of the field, even if `parse` would fail.
        """
        return argument.partition("=")[0].strip(" :")


def parse_json(text: str, source: str) -> Any:
    """
    Parse JSON from `source`, such as "--params fields.json".

    Raises:
        UsageError: an object has a duplicate key.
        ValueError, RecursionError: the text is not valid JSON.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for key, each in pairs:
            if key in value:
                raise UsageError(
                    f"The key {key!r} appears twice in the JSON of {source}."
                )
            value[key] = each
        return value

    return parse_strict_json(text, object_pairs_hook=unique)
