"""
Find out whether a file of any format is complete and how large its picture is, and
strip its metadata.

Each format has a module of its own, which walks its container.
"""

from __future__ import annotations

import io
from enum import Enum, auto
from functools import partial
from importlib import import_module
from typing import IO, Any

from krea_cli.media import (
    AVIF,
    BMP,
    GIF,
    GLB,
    HEIC,
    JPEG,
    MOV,
    MP3,
    MP4,
    PNG,
    TIFF,
    UPLOADED,
    WAV,
    WEBM,
    WEBP,
    MediaType,
    sniff,
)
from krea_cli.media.file_pieces import ByteRange, copy, joined
from krea_cli.media.reader import DamagedError, FileReader, TooManyPartsError

# The module of each format, which has `find_end`, and `strip` for files that are sent.
_MODULES = {
    PNG: "png",
    JPEG: "jpeg",
    WEBP: "webp",
    GIF: "gif",
    TIFF: "tiff",
    BMP: "bmp",
    AVIF: "boxes",
    HEIC: "heic",
    MP4: "mp4",
    MOV: "mp4",
    WEBM: "webm",
    GLB: "glb",
    WAV: "wav",
    MP3: "mp3",
}
# Their modules have `dimensions`.
_MEASURED = {PNG, JPEG, WEBP, HEIC}
# In these, padding may be a part that was cut.
_UNPADDED = {AVIF, HEIC, MP4, MOV, WEBM}


class Completeness(Enum):
    """
    The completeness of a file. An OPEN_ENDED file does not state its length, and a
    FOLLOWED one has more than padding after its end; both occur only if nobody else
    knows the length. A CROWDED file has more parts than are followed.

    An OPEN_ENDED file does not say how long it is, and a FOLLOWED one has more than
    padding behind its end; both only where nobody else knows the length. A CROWDED file
    has more parts than are followed.
    """

    COMPLETE = auto()
    CUT = auto()
    OPEN_ENDED = auto()
    FOLLOWED = auto()
    CROWDED = auto()


def _module(media: MediaType) -> Any:
    # Few formats are needed in a run, and some take milliseconds to import.
    return import_module(f"krea_cli.media.{_MODULES[media]}")


def _stripped_picture(content: bytes) -> bytes | None:
    """
    Strip a picture in a scene; None when nothing has to change or its format is
    unknown.
    """
    media = sniff(content[:32])
    if media is None or media.kind != "image":
        return None
    source, target = io.BytesIO(content), io.BytesIO()
    pieces = strip_metadata(source, media)
    if pieces is None:
        return None
    copy(source, pieces, target)
    return target.getvalue()


def completeness(file: IO[bytes], media: MediaType, *, is_all: bool) -> Completeness:
    """
    Return whether `file`, which can seek, is complete by the structure of its format.

    A connection that breaks may look like the end of a file, and some viewers open a
    cut picture, so the container is walked to its own end. A little padding may follow
    that end in any case; anything else only where `is_all` says that the file has as
    many bytes as were announced: then it is saved as it was made.
    """
    form, reader = _module(media), FileReader(file)
    try:
        if media == WAV and form.is_streamed(reader):
            return Completeness.COMPLETE if is_all else Completeness.OPEN_ENDED
        end = form.find_end(reader)
    except DamagedError:
        return Completeness.CUT
    except TooManyPartsError:
        return Completeness.CROWDED
    if end is None or end > reader.size:
        return Completeness.CUT
    is_padded = media not in _UNPADDED and reader.is_padding(end)
    is_end = is_all or end == reader.size or is_padded
    return Completeness.COMPLETE if is_end else Completeness.FOLLOWED


def dimensions(file: IO[bytes], media: MediaType | None) -> tuple[int, int] | None:
    """
    Return width and height in pixels, as they lie in the file, without decoding it.

    None for a damaged header, and for formats other than JPEG, PNG, WebP and HEIC.
    """
    if media is None or media not in _MEASURED:
        return None
    try:
        size: tuple[int, int] | None = _module(media).dimensions(FileReader(file))
    except (DamagedError, TooManyPartsError):
        return None
    return size if size and all(size) else None


def is_on_its_side(file: IO[bytes]) -> bool:
    """
    Return whether a HEIC, which can seek, is turned by a quarter to be shown.

    Raises:
        ValueError: the file is damaged.
    """
    return bool(_module(HEIC).is_on_its_side(FileReader(file)))


def strip_metadata(file: IO[bytes], media: MediaType) -> list[ByteRange] | None:
    """
    Return the pieces of `file`, which can seek, without place, time, camera, author,
    comments and previews; None when that is all of it.

    Pixels are never compressed anew, and colors and the way up stay as they are. Every
    format lists the parts that stay.

    Raises:
        DamagedError: the file cannot be followed to its end, so nobody knows what is in
            it.
    """
    if media not in UPLOADED:
        return None
    strip, reader = _module(media).strip, FileReader(file)
    if media == GLB:
        strip = partial(strip, strip_picture=_stripped_picture)
    try:
        pieces = joined(reader, strip(reader))
    except TooManyPartsError as exc:
        raise DamagedError(str(exc)) from exc
    return None if pieces == [range(reader.size)] else pieces
