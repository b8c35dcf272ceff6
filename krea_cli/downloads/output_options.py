"""
The options for delivering results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# What a result may have at most, where nothing else is said.
MAX_BYTES = 2 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """
    *output* is where they go, in the words of -o; *force* replaces what has their
    names, and *sidecar* gives each a file beside it that says how it was made.  None
    has more than *max_size* bytes; *quality_out* (1 to 100) is for pictures that are
    converted, *expect* what all must be, in the words of --expect.
    """

    output: str | None = None
    force: bool = False
    sidecar: bool = False
    max_size: int | None = None
    quality_out: int | None = None
    expect: Sequence[str] | None = None
