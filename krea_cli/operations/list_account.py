"""
Iterate over the paged lists of an account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from krea_cli.api.models import Page

T = TypeVar("T")
# With a thousand entries per page. A longer list means that the service repeats itself.
MAX_PAGES = 100


def each_item(fetch: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """
    Yield the entries of all pages.

    `fetch` returns the page at a cursor, or the first one for None. A page is fetched
    only when its entries are needed.
    """
    cursor: str | None = None
    seen = set[str]()
    for _ in range(MAX_PAGES):
        page = fetch(cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None or cursor in seen:
            return
        seen.add(cursor)
