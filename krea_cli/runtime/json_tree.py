"""
Walk and transform JSON values with any depth of lists and objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# Keys and indexes that lead to a value.
Place = tuple[str | int, ...]


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """
    Yield each value that is not a list or object, with its place.
    """
    if isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from leaves(item, (*place, key))
    else:
        yield place, value


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """
    Copy lists and objects, replacing every other value with the result of `change`.
    """
    if isinstance(value, list):
        return [mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {key: mapped(item, change) for key, item in value.items()}
    return change(value)
