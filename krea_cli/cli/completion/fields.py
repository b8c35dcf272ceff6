"""
Complete the fields of the chosen model, and their values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from krea_cli.catalog import schema_text
from krea_cli.catalog.json_schema import types
from krea_cli.catalog.model import Model
from krea_cli.cli.completion import paths
from krea_cli.cli.completion.grammar import Option
from krea_cli.cli.completion.line import Line
from krea_cli.cli.context import CliContext
from krea_cli.errors import UnknownModelError


def model(line: Line, context: CliContext) -> Model | None:
    """
    Return the model of the line or else of the settings, or None if it is unknown.
    """
    name = [context.settings.model, *line.given.get("--model", ())][-1]
    with suppress(UnknownModelError):
        return context.catalog.find(name)
    return None


def input_media(line: Line, context: CliContext) -> str:
    """
    Return the kind of file that the model accepts with -i: "image", "video" or "audio".
    """
    found = model(line, context)
    return found.input_field.media if found and found.input_field else "image"


def params(word: str, model: Model | None) -> Iterator[tuple[str, str]]:
    """
    Complete the value of -p: a field with an equals sign, then its value.
    """
    if model is None:
        return
    name, equals, value = word.partition("=")
    if not equals:
        for field, schema in model.fields.items():
            yield f"{field}=", schema_text.describe_allowed(schema)
        return
    for media in model.media_fields:
        if name == media.name and value.startswith("@"):
            for path in paths.files(value[1:], media.media):
                yield f"{name}=@{path}", ""
    for allowed in _allowed(model.fields.get(name, {})):
        yield f"{name}={allowed}", ""


def values_of_option(line: Line, context: CliContext) -> Iterable[tuple[str, str]]:
    """
    Return the values that the model accepts for an option such as --aspect-ratio.
    """
    found = model(line, context)
    if line.command.words != ("generate",) or found is None:
        return
    if isinstance(line.expects, Option):
        name = line.expects.long.removeprefix("--").replace("-", "_")
        for allowed in _allowed(found.fields.get(name, {})):
            yield allowed, ""


def _allowed(schema: Mapping[str, Any]) -> Iterator[str]:
    """
    Return the values that the schema lists, in the form that users type.
    """
    for form in ("anyOf", "oneOf"):
        for each in schema.get(form, ()):
            yield from _allowed(each)
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    if "boolean" in types(schema):
        values = [True, False]
    for value in values:
        if isinstance(value, bool | str | int | float):
            yield str(value).lower() if isinstance(value, bool) else str(value)
