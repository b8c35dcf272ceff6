"""
Make thumbnails for contact sheets.
"""

from __future__ import annotations

import io
from pathlib import Path

from krea_cli.media import images

QUALITY = 70


def small_webp(path: Path, side: int) -> bytes:
    """
    Return the picture as WebP bytes, at most `side` pixels wide and high.

    Raises:
        DownloadError: the file cannot be decoded.
    """
    encoded = io.BytesIO()
    images.thumbnail(path, (side, side)).save(encoded, "WEBP", quality=QUALITY)
    return encoded.getvalue()
