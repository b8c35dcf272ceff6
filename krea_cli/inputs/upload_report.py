"""
Report how far uploads are.
"""

from __future__ import annotations

from collections.abc import Callable

# Called from any thread with the number of uploaded files, of all files, of their bytes
# that are sent, and of all their bytes.
Report = Callable[[int, int, int, int], object]


def ignore_report(_done: int, _files: int, _sent_bytes: int, _size_bytes: int) -> None:
    """
    Report nothing.
    """
