"""
Report the progress of uploads.
"""

from __future__ import annotations

from collections.abc import Callable

# Called from any thread with (files done, total files, bytes sent, total bytes).
Report = Callable[[int, int, int, int], object]


def ignore_report(_done: int, _files: int, _sent_bytes: int, _size_bytes: int) -> None:
    """
    Report nothing.
    """
