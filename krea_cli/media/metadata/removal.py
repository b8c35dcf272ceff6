"""
Pictures and films without what they say of their makers (hazard N18): place, time,
camera, author, comments, previews.  Pixels are never compressed anew, and colours and
the way up stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import IO

from krea_cli.media import HEIC, JPEG, MOV, MP4, PNG, WEBP, Media
from krea_cli.media.metadata import heic, jpeg, movie, png, webp
from krea_cli.media.metadata.pieces import Piece, joined

_BARE: dict[Media, Callable[[IO[bytes], int], Iterator[Piece]]] = {
    JPEG: jpeg.bare,
    PNG: png.bare,
    WEBP: webp.bare,
    HEIC: heic.bare,
    MP4: movie.bare,
    MOV: movie.bare,
}


def without_metadata(file: IO[bytes], media: Media) -> list[Piece] | None:
    """
    The pieces of *file*, which can seek, that are to be sent; None when that is all of
    it, as with kinds that are not looked into: sound, WebM and 3D models.

    Raises:
        DamagedError: it cannot be followed to its end, so nobody knows what is in it.
    """
    bare = _BARE.get(media)
    if bare is None:
        return None
    size = file.seek(0, os.SEEK_END)
    pieces = joined(bare(file, size))
    return None if pieces == [range(size)] else pieces
