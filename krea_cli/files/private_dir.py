"""
Create folders that only this user can access.
"""

from __future__ import annotations

from pathlib import Path


def make_private_dir(path: Path) -> Path:
    """
    Create the folder and missing parents with mode 0700. An existing folder is
    unchanged.

    Raises:
        OSError: it cannot be created, or a file has its name.
    """
    # parents=True would create the parents with the default mode.
    for folder in (*reversed(path.parents), path):
        folder.mkdir(mode=0o700, exist_ok=True)
    return path
