"""
Walk and change JSON values, however deep their lists and objects are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# The keys and indexes that lead to a value.
Place = tuple[str | int, ...]


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """
    Yield each value that is neither a list nor an object, with its place.
    """
    if isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from leaves(item, (*place, key))
    else:
        yield place, value


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """
    Copy the lists and objects, with every other value as `change` returns it.
    """
    if isinstance(value, list):
        return [mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {key: mapped(item, change) for key, item in value.items()}
    return change(value)
