"""
The way to the renderer: Pillow is loaded by the first picture, not by the server.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from krea_cli.sandbox.job import SandboxJob


def render(job: SandboxJob, part: str, find: Callable[[str], Path]) -> bytes:
    """
    As `compose.render`.
    """
    from krea_cli.sandbox.renderer import compose

    return compose.render(job, part, find)


def fault(path: Path, media_type: str) -> str | None:
    """
    Why the file cannot be used as a picture; None when it can.
    """
    from krea_cli.sandbox.renderer import pictures

    try:
        pictures.check(path, media_type)
    except pictures.UnreadableError as exc:
        return str(exc)
    return None
