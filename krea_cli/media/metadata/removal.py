"""
Files without what they say of their makers (hazard N18): place, time,
camera, author, comments, previews.  Pixels are never compressed anew, and colours and
the way up stay as they are.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import IO

from krea_cli.media import (
    GLB,
    HEIC,
    JPEG,
    MOV,
    MP3,
    MP4,
    PNG,
    WAV,
    WEBM,
    WEBP,
    MediaType,
    sniff,
)
from krea_cli.media.metadata import glb, heic, jpeg, movie, mp3, png, wav, webm, webp
from krea_cli.media.metadata.pieces import ByteRange, copy, joined


def _bare_scene(file: IO[bytes], size: int) -> Iterator[ByteRange]:
    return glb.bare(file, size, _stripped_picture)


def _stripped_picture(content: bytes) -> bytes | None:
    """
    A picture in a scene, None when it has no metadata or is of no known kind.
    """
    media = sniff(content[:32])
    if media is None or media.kind != "image":
        return None
    source, target = io.BytesIO(content), io.BytesIO()
    pieces = without_metadata(source, media)
    if pieces is None:
        return None
    copy(source, pieces, target)
    return target.getvalue()


_BARE: dict[MediaType, Callable[[IO[bytes], int], Iterator[ByteRange]]] = {
    JPEG: jpeg.bare,
    PNG: png.bare,
    WEBP: webp.bare,
    HEIC: heic.bare,
    MP4: movie.bare,
    MOV: movie.bare,
    WEBM: webm.bare,
    WAV: wav.bare,
    MP3: mp3.bare,
    GLB: _bare_scene,
}


def without_metadata(file: IO[bytes], media: MediaType) -> list[ByteRange] | None:
    """
    The pieces of *file*, which can seek, that are to be sent; None when that is all of
    it.  Every kind that can be sent has a list of the parts that stay.

    Raises:
        DamagedError: it cannot be followed to its end, so nobody knows what is in it.
    """
    bare = _BARE.get(media)
    if bare is None:
        return None
    size = file.seek(0, os.SEEK_END)
    pieces = joined(bare(file, size))
    return None if pieces == [range(size)] else pieces
