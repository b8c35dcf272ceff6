"""
Name the sidecar of a result: the file beside it that says how it was made.
"""

from __future__ import annotations

from pathlib import Path

ENDING = ".json"


def sidecar_path(path: Path) -> Path:
    """
    Return the path of the sidecar that belongs to a result.
    """
    return path.with_name(path.name + ENDING)
