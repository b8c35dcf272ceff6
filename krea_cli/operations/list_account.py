"""
Go through the lists of an account page by page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from krea_cli.api.models import Page

T = TypeVar("T")
# With a thousand entries each; a cursor that never ends is a mistake of the service.
MOST_PAGES = 100


def each_item(fetch: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """
    Yield the entries of all pages. *fetch* returns the page at a cursor, the first one
    for None. A page is fetched only when its entries are asked for.
    """
    cursor: str | None = None
    seen = set[str]()
    for _ in range(MOST_PAGES):
        page = fetch(cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None or cursor in seen:
            return
        seen.add(cursor)
