"""
Decode and encode images in a thread that can be abandoned.

Decoders cannot be interrupted, and Ctrl-C must not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from krea_cli.errors import DownloadError
from krea_cli.runtime.clock import run_with_timeout

T = TypeVar("T")
TIMEOUT_SECONDS = 300.0


def decode_with_timeout(work: Callable[[], T]) -> T:
    """
    Run `work` in a thread and return its result.

    Raises:
        DownloadError: it takes longer than five minutes.
        Exception: any error that `work` raises.
    """
    try:
        return run_with_timeout(TIMEOUT_SECONDS, work)
    except TimeoutError as exc:
        raise DownloadError("Processing the image took too long.") from exc
