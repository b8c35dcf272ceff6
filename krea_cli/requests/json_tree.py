"""
What stands in the lists and objects of a value of JSON, however deep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# The keys and indexes that lead to it.
Place = tuple[str | int, ...]


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """
    Each value that is neither a list nor an object, with its place.
    """
    if isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from leaves(item, (*place, key))
    else:
        yield place, value


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """
    The same lists and objects with what *change* makes of all else.
    """
    if isinstance(value, list):
        return [mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {key: mapped(item, change) for key, item in value.items()}
    return change(value)
