"""
Find out which types of pictures this installation can write. A home of Pillow.
"""

from __future__ import annotations

import warnings

import PIL
from PIL import features

from krea_cli.media import AVIF, GIF, JPEG, PNG, TIFF, WEBP, MediaType

PILLOW = f"Pillow {PIL.__version__}"
# The feature of Pillow that each type needs; some packages of Pillow are built without
# it, and its library may fail to load. GIF and TIFF need none.
_FEATURES = {PNG: "zlib", JPEG: "jpg", WEBP: "webp", AVIF: "avif", GIF: "", TIFF: ""}


def can_encode(media: MediaType) -> bool:
    """
    Return whether pictures can be written as `media` here.
    """
    feature = _FEATURES.get(media)
    if not feature:
        return feature is not None
    with warnings.catch_warnings():
        # Pillow warns when a library is there and cannot be loaded.
        warnings.simplefilter("ignore")
        return bool(features.check(feature))


def encoders() -> dict[MediaType, bool]:
    """
    Return the types of pictures that output files may have, and whether each can be
    written.
    """
    return {media: can_encode(media) for media in _FEATURES}
