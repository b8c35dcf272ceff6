"""
Show paths as seen from the current folder.
"""

from __future__ import annotations

import os
from pathlib import Path


def shown_path(path: Path | str, cwd: Path | None = None) -> str:
    """
    Return a path relative to `cwd`, with forward slashes. A path that shares no folder
    with `cwd` stays absolute.
    """
    start = os.path.abspath(cwd or "")  # noqa: PTH100  (Path keeps "..")
    full = os.path.normpath(os.path.join(start, path))  # noqa: PTH118  (as above)
    try:
        seen = os.path.relpath(full, start)
    except ValueError:  # on another drive
        seen = full
    climbed = Path(seen).parts.count("..")
    is_far = climbed > 0 and climbed == len(Path(start).parts) - 1
    return (full if is_far else seen).replace(os.sep, "/")
