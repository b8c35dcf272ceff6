"""
The options for saving results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# The default limit for the size of a result.
MAX_BYTES = 2 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """
    - `output`: the value of -o
    - `force`: replace existing files
    - `sidecar`: write a JSON file with the request next to each result
    - `max_size`: largest size of a result, in bytes
    - `quality_out`: quality of converted images, 1 to 100
    - `expect`: the values of --expect
    """

    output: str | None = None
    force: bool = False
    sidecar: bool = False
    max_size: int | None = None
    quality_out: int | None = None
    expect: Sequence[str] | None = None
