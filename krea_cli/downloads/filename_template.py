"""
Fill in file names with fields in braces, such as "{slug}-{index}.{ext}".
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
_MAX_COMPONENT_BYTES = 200
# A slug, a stem, a model and a job id fit together into one name.
_MAX_VALUE_BYTES = 50
_MAX_EXTENSION_CHARS = 10
_DEVICES = re.compile(
    "(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])([. ]|$)", re.IGNORECASE
)


def check_fields(template: str) -> None:
    """
    Check the fields of a template.

    Raises:
        UsageError: a field is unknown, or the template is malformed.
    """
    try:
        unknown = [name for name in fields_of(template) if name not in FIELDS]
        if not unknown:
            template.format(**dict.fromkeys(FIELDS, "x") | {"index": 1})
            return
        problem = f"unknown field {{{unknown[0]}}}"
    except ValueError as exc:
        problem = str(exc)
    raise UsageError(
        f"Invalid name {template}: {problem}.",
        hint="Fields: " + " ".join(f"{{{field}}}" for field in FIELDS),
    )


def fields_of(template: str) -> tuple[str, ...]:
    """
    Return the names of the fields in a checked template.
    """
    return tuple(name for part in parts_of(template) for name in _fields(part))


@cache
def parts_of(template: str) -> tuple[str, ...]:
    """
    Split a template into path components. The leading components without fields stay
    together as one part.
    """
    parts = Path(template).parts
    fixed = list(takewhile(lambda part: not _BRACES.search(part), parts))
    return (*([str(Path(*fixed))] if fixed else []), *parts[len(fixed) :])


@cache
def _fields(part: str) -> tuple[str, ...]:
    """
    Return the names of the fields in one part of a path.

    Raises:
        ValueError: `str.format` cannot read it, or the format of a field is not a plain
            width as in {index:03}.
    """
    found = list[str]()
    for _, name, format_spec, conversion in string.Formatter().parse(part):
        if name is not None:
            found.append(name)
            if conversion or not re.fullmatch("[0-9]{0,2}", format_spec or ""):
                raise ValueError(
                    f"{{{name}}} allows only a width, such as {{index:03}}"
                )
    return tuple(found)


def fill_component(
    part: str, values: Mapping[str, str | int], *, spare: int = 0
) -> str:
    """
    Fill in the fields of one part of a path, and make it a valid file name on all
    systems.  A part without fields stays as the user wrote it.

    Shorten a name that is too long, with `spare` bytes left for a suffix, but keep its
    index and extension.
    """
    if not _BRACES.search(part):
        return part
    name = part.format(**values)
    fields = _fields(part)
    if not fields:
        return name
    # On Windows, a name cannot end with a dot or space.
    name = unicodedata.normalize("NFC", name).lstrip("-. ").rstrip(". ") or "result"
    if _DEVICES.match(name):
        name = f"_{name}"
    max_bytes = _MAX_COMPONENT_BYTES - spare
    if _size(name) <= max_bytes:
        return name
    suffix = Path(name).suffix
    # A longer suffix is not an extension, but text after a dot.
    suffix = suffix if len(suffix) <= _MAX_EXTENSION_CHARS else ""
    end = (f"-{values['index']}" if "index" in fields else "") + suffix
    return _truncate(name.removesuffix(suffix), max_bytes - _size(end)) + end


def slugify(text: str) -> str:
    """
    Keep letters, digits, dots, underscores and hyphens. Replace each run of other
    characters with one hyphen.
    """
    text = unicodedata.normalize("NFC", text)
    return _truncate(
        re.sub(r"[^\w.]+", "-", text).strip("-._"), _MAX_VALUE_BYTES
    ).strip("-._")


def _truncate(text: str, max_bytes: int) -> str:
    """
    Shorten text to `max_bytes` bytes of UTF-8, between characters.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    return encoded[:max_bytes].decode("utf-8", "ignore")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
