"""
Check which image types this Pillow installation can write. One of the homes of Pillow.
"""

from __future__ import annotations

import warnings

import PIL
from PIL import features

from krea_cli.media import AVIF, GIF, JPEG, PNG, TIFF, WEBP, MediaType

PILLOW = f"Pillow {PIL.__version__}"
# Pillow feature that each type needs. Some builds of Pillow lack one, or its library
# fails to load. GIF and TIFF need no feature.
_FEATURES = {PNG: "zlib", JPEG: "jpg", WEBP: "webp", AVIF: "avif", GIF: "", TIFF: ""}


def can_encode(media: MediaType) -> bool:
    """
    Return whether images can be written as `media` on this computer.
    """
    feature = _FEATURES.get(media)
    if not feature:
        return feature is not None
    with warnings.catch_warnings():
        # Pillow warns if a library is installed but fails to load.
        warnings.simplefilter("ignore")
        return bool(features.check(feature))


def encodable_types() -> dict[MediaType, bool]:
    """
    Map each image type that output files may have to whether it can be written.
    """
    return {media: can_encode(media) for media in _FEATURES}
