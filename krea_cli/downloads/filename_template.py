"""
File names with fields in braces, such as "{slug}-{index}.{ext}".
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Mapping
from functools import cache
from itertools import takewhile
from pathlib import Path

from krea_cli.errors import UsageError

FIELDS = (
    "job_id",
    "index",
    "ext",
    "model",
    "date",
    "time",
    "slug",
    "stem",
    "seed",
)
_BRACES = re.compile("[{}]")
_COMPONENT_BYTES = 200
# Short enough for a slug, a stem, a model and a job id beside each other.
_VALUE_BYTES = 50
_EXTENSION = 10
_DEVICES = re.compile(
    "(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])([. ]|$)", re.IGNORECASE
)


def check_fields(template: str) -> None:
    """
    Raises:
        UsageError: it has a field that does not exist, or cannot be read.
    """
    try:
        unknown = [name for name in fields_of(template) if name not in FIELDS]
        if not unknown:
            template.format(**dict.fromkeys(FIELDS, "x") | {"index": 1})
            return
        fault = f"unknown field {{{unknown[0]}}}"
    except ValueError as exc:
        fault = str(exc)
    raise UsageError(
        f"Invalid name {template}: {fault}.",
        hint="Fields: " + " ".join(f"{{{field}}}" for field in FIELDS),
    )


def fields_of(template: str) -> tuple[str, ...]:
    """
    The names of the fields in a template that was checked.
    """
    return tuple(name for part in parts_of(template) for name in _fields(part))


@cache
def parts_of(template: str) -> tuple[str, ...]:
    """
    Return the parts of the template. Those at its start that have no fields are one.
    """
    parts = Path(template).parts
    fixed = list(takewhile(lambda part: not _BRACES.search(part), parts))
    return (*([str(Path(*fixed))] if fixed else []), *parts[len(fixed) :])


@cache
def _fields(part: str) -> tuple[str, ...]:
    """
    The names of the fields in one part of a path.

    Raises:
        ValueError: it is not of the form that `str.format` reads, or has a field whose
            format is more than a width, such as {index:03}.
    """
    found = list[str]()
    for _, name, form, conversion in string.Formatter().parse(part):
        if name is not None:
            found.append(name)
            if conversion or not re.fullmatch("[0-9]{0,2}", form or ""):
                raise ValueError(
                    f"{{{name}}} allows only a width, such as {{index:03}}"
                )
    return tuple(found)


def component(part: str, values: Mapping[str, str | int], *, spare: int = 0) -> str:
    """
    Fill in the fields of one part of a path, and leave out characters and names that
    systems cannot use.  A part without fields stays as the user wrote it.

    What is too long, with *spare* bytes for an ending, is cut before its index and
    extension.
    """
    if not _BRACES.search(part):
        return part
    name = part.format(**values)
    fields = _fields(part)
    if not fields:
        return name
    # Windows takes no dot or space at the end.
    name = unicodedata.normalize("NFC", name).lstrip("-. ").rstrip(". ") or "result"
    if _DEVICES.match(name):
        name = f"_{name}"
    most = _COMPONENT_BYTES - spare
    if _size(name) <= most:
        return name
    suffix = Path(name).suffix
    # More than an extension ever has is a word that a dot stands before.
    suffix = suffix if len(suffix) <= _EXTENSION else ""
    end = (f"-{values['index']}" if "index" in fields else "") + suffix
    return _cut(name.removesuffix(suffix), most - _size(end)) + end


def clean(text: str) -> str:
    """
    Letters, digits, dot, underscore and hyphen of the text; runs of all else are one
    hyphen.
    """
    text = unicodedata.normalize("NFC", text)
    return _cut(re.sub(r"[^\w.]+", "-", text).strip("-._"), _VALUE_BYTES).strip("-._")


def _cut(text: str, most: int) -> str:
    """
    At most *most* bytes of UTF-8, cut between characters.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    return encoded[:most].decode("utf-8", "ignore")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
