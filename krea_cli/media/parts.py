"""
A limit to the parts of a file: its length alone does not bound the work of reading it.
"""

from __future__ import annotations

from collections.abc import Iterator


class TooManyPartsError(ValueError):
    """
    The file has more parts than any real file of its kind.
    """


def count_parts(most: int) -> Iterator[int]:
    """
    0, 1, 2 ... for the parts of a file, one for each.

    Raises:
        TooManyPartsError: there are more than *most*.
    """
    yield from range(most)
    raise TooManyPartsError
