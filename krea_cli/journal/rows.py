"""
Check the values in the columns of a record.

The file belongs to the user. If another program writes to it or the disk damages it, a
bad record must not make the others unreadable.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from krea_cli.api.models import is_job_id

STATES = ("intended", "unknown", "submitted", "completed", "failed", "cancelled")
# The end of the year 9999, the latest time that Python can format.
_END_OF_TIME = 253_402_300_799.0
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_columns(values: Mapping[str, Any]) -> None:
    """
    Check some or all columns of a record, given by name.

    Raises:
        ValueError: a column has a value that krea does not write. The message names it.
    """
    for name, value in values.items():
        if not _FITS[name](value):
            raise ValueError(f"invalid {name}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not _SURROGATE.search(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= _END_OF_TIME


def _optional(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)


def _is_request(value: object) -> bool:
    request = _parsed(value)
    return (
        isinstance(request, dict)
        and isinstance(request.get("path"), str)
        and isinstance(request.get("body"), dict)
        and isinstance(request.get("webhook"), str | None)
        and isinstance(request.get("not_kept", []), list)
        and _are_objects_like(request.get("inputs", []), _INPUT)
    )


def _is_files(value: object) -> bool:
    return _are_objects_like(_parsed(value), _FILE)


def _is_output(value: object) -> bool:
    return _are_objects_like([_parsed(value)], _OUTPUT)


def _parsed(value: object) -> object:
    try:
        return json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None


def _are_objects_like(
    items: object, shape: Mapping[str, Callable[[object], bool]]
) -> bool:
    """
    Return whether this is a list of objects with at least these keys.

    A newer krea may have added further keys.
    """
    return isinstance(items, list) and all(
        isinstance(item, dict)
        and all(fits(item.get(name)) for name, fits in shape.items())
        for item in items
    )


_INPUT = {
    "at": lambda value: isinstance(value, list),
    "path": _optional(lambda value: isinstance(value, str)),
    "sha256": _optional(_is_text),
}
_FILE = {
    "path": lambda value: isinstance(value, str),
    "url": _is_text,
    "media_type": _is_text,
    "size_bytes": _is_count,
    "sha256": _is_text,
    "width": _optional(_is_count),
    "height": _optional(_is_count),
    "converted_from": _optional(_is_text),
}
_OUTPUT = {
    "output": lambda value: isinstance(value, str),
    "count": _is_count,
}
_FITS: dict[str, Callable[[object], bool]] = {
    "record": _is_text,
    "run": _is_text,
    "service": _is_text,
    "created_at": _is_time,
    "model": _is_text,
    "request": _is_request,
    "request_sha256": _is_text,
    "seed": _optional(_is_count),
    "cost_usd": _optional(_is_number),
    "state": lambda value: value in STATES,
    "job_id": _optional(lambda value: isinstance(value, str) and is_job_id(value)),
    "files": _is_files,
    "seconds": _optional(_is_number),
    "holder": _is_text,
    "resent_at": _optional(_is_time),
    "token_digest": _optional(_is_text),
    "output": _optional(_is_output),
    "first_index": _optional(_is_count),
}
