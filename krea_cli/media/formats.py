"""
Measure and check files of any supported format, and strip their metadata.

Each format has its own module, which walks its container.
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
    UPLOAD_TYPES,
    WAV,
    WEBM,
    WEBP,
    MediaType,
    sniff,
)
from krea_cli.media.file_pieces import ByteRange, copy, join_pieces
from krea_cli.media.reader import DamagedError, FileReader, TooManyPartsError

# Module of each format. It has `find_end`, and for types that are uploaded `strip`.
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
# Types whose module has `dimensions`.
_MEASURED = {PNG, JPEG, WEBP, HEIC}
# Types whose padding could also be the start of a part that was cut off.
_UNPADDED = {AVIF, HEIC, MP4, MOV, WEBM}


class Completeness(Enum):
    """
    How complete a file is.

    An OPEN_ENDED file does not state its length, and a FOLLOWED file has more than
    padding after its end. Both are used only if the expected number of bytes is
    unknown. A CROWDED file has too many parts to walk through.
    """

    COMPLETE = auto()
    CUT = auto()
    OPEN_ENDED = auto()
    FOLLOWED = auto()
    CROWDED = auto()


def _module(media: MediaType) -> Any:
    # Import late: a run needs few formats, and some modules take milliseconds to
    # import.
    return import_module(f"krea_cli.media.{_MODULES[media]}")


def _stripped_picture(content: bytes) -> bytes | None:
    """
    Strip an image embedded in a 3D scene. Return None if nothing has to change or its
    format is unknown.
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
    Return how complete the seekable `file` is, by the structure of its format.

    A broken connection may look like the end of a file, and some viewers open truncated
    images, so the container is walked to its own end. A little padding after that end
    is always accepted. Other data after it is accepted only if `is_all` says that the
    file has the announced number of bytes: then it is saved as it is.
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
    Return the stored width and height in pixels, read from the header of `file`.

    Orientation is not applied. Return None if the header is damaged or the format is
    not JPEG, PNG, WebP or HEIC.
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
    Return whether the seekable HEIC `file` is shown rotated by 90 or 270 degrees.

    Raises:
        ValueError: the file is damaged.
    """
    return bool(_module(HEIC).is_on_its_side(FileReader(file)))


def strip_metadata(file: IO[bytes], media: MediaType) -> list[ByteRange] | None:
    """
    Return the pieces of the seekable `file` that remain without its metadata.

    Location, time, camera, author, comments and previews are removed. Pixels are not
    re-encoded; colors and orientation stay. Each format keeps only parts from a list.
    Return None if nothing has to be removed.

    Raises:
        DamagedError: the structure cannot be followed to the end, so unknown metadata
            could remain.
    """
    if media not in UPLOAD_TYPES:
        return None
    strip, reader = _module(media).strip, FileReader(file)
    if media == GLB:
        strip = partial(strip, strip_picture=_stripped_picture)
    try:
        pieces = join_pieces(reader, strip(reader))
    except TooManyPartsError as exc:
        raise DamagedError(str(exc)) from exc
    return None if pieces == [range(reader.size)] else pieces
