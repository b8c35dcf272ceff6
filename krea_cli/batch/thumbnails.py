"""
Small pictures for contact sheets.
"""

from __future__ import annotations

import io
from pathlib import Path

from krea_cli.media import images

QUALITY = 70


def small_webp(path: Path, side: int) -> bytes:
    """
    The picture as WebP, at most *side* pixels wide and high.

    Raises:
        DownloadError: it cannot be decoded here.
    """
    encoded = io.BytesIO()
    images.thumbnail(path, (side, side)).save(encoded, "WEBP", quality=QUALITY)
    return encoded.getvalue()
