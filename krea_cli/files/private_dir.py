"""
Folders for this user alone.
"""

from __future__ import annotations

from pathlib import Path


def make_private_dir(path: Path) -> Path:
    """
    Make the folder, and its missing parents, with mode 0700.  One that exists stays as
    it is.

    Raises:
        OSError: it cannot be made, or a file has its name.
    """
    # parents=True would make the parents with the usual mode.
    for folder in (*reversed(path.parents), path):
        folder.mkdir(mode=0o700, exist_ok=True)
    return path
