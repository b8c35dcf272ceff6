"""
Name the sidecar of a result: a JSON file next to it with the request that made it.
"""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".json"


def sidecar_path(path: Path) -> Path:
    """
    Return the path of the sidecar that belongs to a result.
    """
    return path.with_name(path.name + SUFFIX)
