"""
One field as the command line gives it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from krea_cli.catalog.schema_text import preview_json
from krea_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Param:
    """
    One field as it was given: text to convert, or JSON as it is; *source* is how it was
    given, such as "-p seed".
    """

    name: str
    value: Any
    is_json: bool
    source: str

    @classmethod
    def parse(cls, argument: str) -> Param:
        """
        KEY=VALUE, or KEY:=JSON.

        Raises:
            UsageError: it is neither, or an object of it has a key twice.
        """
        name, equals, value = argument.partition("=")
        if not equals or not name.strip(" :"):
            raise UsageError(
                f"-p {argument} is not of the form KEY=VALUE.",
                hint="Text: -p style=oil   Any JSON: -p 'seed:=7'",
            )
        if not name.endswith(":"):
            return cls(name.strip(), value, is_json=False, source=f"-p {name}")
        name = name[:-1].strip()
        try:
            parsed = parse_json(value, f"-p {name}:=")
            return cls(name, parsed, is_json=True, source=f"-p {name}")
        except (ValueError, RecursionError) as exc:
            pos = exc.pos if isinstance(exc, json.JSONDecodeError) else 0
            at = f" (see character {pos + 1})" if pos else ""
            raise UsageError(
                f"-p {name}:= takes JSON, and {preview_json(value)} is none{at}.",
                hint=f"Text is given with = alone: -p {name}=TEXT",
            ) from exc

    @staticmethod
    def name_of(argument: str) -> str:
        """
        The field that is meant, even where `parse` fails.
        """
        return argument.partition("=")[0].strip(" :")


def parse_json(text: str, source: str) -> Any:
    """
    The value of JSON that was given by *source*, such as "--params fields.json".

    Raises:
        UsageError: an object in it has a key twice, and which is meant is not guessed.
        ValueError, RecursionError: it is no JSON.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for key, each in pairs:
            if key in value:
                raise UsageError(f"{key} is given twice in {source}.")
            value[key] = each
        return value

    return json.loads(text, parse_constant=_no_number, object_pairs_hook=unique)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
