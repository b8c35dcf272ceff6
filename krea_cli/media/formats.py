"""
Find out whether a file of any format is complete and how large its picture is, and
strip its metadata.

Each format has a module of its own, which walks its container.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import IO

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
    WAV,
    WEBM,
    WEBP,
    MediaType,
    bmp,
    boxes,
    gif,
    glb,
    heic,
    jpeg,
    mp3,
    mp4,
    png,
    riff,
    sniff,
    tiff,
    wav,
    webm,
    webp,
)
from krea_cli.media.file_pieces import ByteRange, copy, joined
from krea_cli.media.reader import DamagedError, FileReader, TooManyPartsError


class Completeness(Enum):
    """
    How complete a file is.

    An OPEN_ENDED file does not say how long it is, and a FOLLOWED one has more than
    padding behind its end; both only where nobody else knows the length. A CROWDED file
    has more parts than are followed.
    """

    COMPLETE = auto()
    CUT = auto()
    OPEN_ENDED = auto()
    FOLLOWED = auto()
    CROWDED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """
    The functions of a format: `find_end` returns None for a cut file, `dimensions` for
    an unreadable header. `may_be_padded` is False where padding may be a part that was
    cut.
    """

    find_end: Callable[[FileReader], int | None]
    dimensions: Callable[[FileReader], tuple[int, int] | None] | None = None
    strip: Callable[[FileReader], Iterator[ByteRange]] | None = None
    may_be_padded: bool = True


def _strip_scene(reader: FileReader) -> Iterator[ByteRange]:
    return glb.strip(reader, _stripped_picture)


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


_FILM = Format(find_end=boxes.find_end, strip=mp4.strip, may_be_padded=False)
_FORMATS = {
    PNG: Format(find_end=png.find_end, dimensions=png.dimensions, strip=png.strip),
    JPEG: Format(find_end=jpeg.find_end, dimensions=jpeg.dimensions, strip=jpeg.strip),
    WEBP: Format(find_end=riff.find_end, dimensions=webp.dimensions, strip=webp.strip),
    GIF: Format(find_end=gif.find_end),
    TIFF: Format(find_end=tiff.find_end),
    BMP: Format(find_end=bmp.find_end),
    AVIF: Format(find_end=boxes.find_end, may_be_padded=False),
    HEIC: Format(
        find_end=boxes.find_end,
        dimensions=heic.dimensions,
        strip=heic.strip,
        may_be_padded=False,
    ),
    MP4: _FILM,
    MOV: _FILM,
    WEBM: Format(find_end=webm.find_end, strip=webm.strip, may_be_padded=False),
    GLB: Format(find_end=glb.find_end, strip=_strip_scene),
    WAV: Format(find_end=riff.find_end, strip=wav.strip),
    MP3: Format(find_end=mp3.find_end, strip=mp3.strip),
}


def completeness(file: IO[bytes], media: MediaType, *, is_all: bool) -> Completeness:
    """
    Return whether `file`, which can seek, is complete by the structure of its format.

    A connection that breaks may look like the end of a file, and some viewers open a
    cut picture, so the container is walked to its own end. A little padding may follow
    that end in any case; anything else only where `is_all` says that the file has as
    many bytes as were announced: then it is saved as it was made.
    """
    form, reader = _FORMATS[media], FileReader(file)
    try:
        if media == WAV and wav.is_streamed(reader):
            return Completeness.COMPLETE if is_all else Completeness.OPEN_ENDED
        end = form.find_end(reader)
    except DamagedError:
        return Completeness.CUT
    except TooManyPartsError:
        return Completeness.CROWDED
    if end is None or end > reader.size:
        return Completeness.CUT
    is_padded = form.may_be_padded and reader.is_padding(end)
    is_end = is_all or end == reader.size or is_padded
    return Completeness.COMPLETE if is_end else Completeness.FOLLOWED


def dimensions(file: IO[bytes], media: MediaType | None) -> tuple[int, int] | None:
    """
    Return width and height in pixels, as they lie in the file, without decoding it.

    None for a damaged header, and for formats other than JPEG, PNG, WebP and HEIC.
    """
    form = _FORMATS.get(media) if media else None
    if form is None or form.dimensions is None:
        return None
    try:
        size = form.dimensions(FileReader(file))
    except (DamagedError, TooManyPartsError):
        return None
    return size if size and all(size) else None


def strip_metadata(file: IO[bytes], media: MediaType) -> list[ByteRange] | None:
    """
    Return the pieces of `file`, which can seek, without place, time, camera, author,
    comments and previews; None when that is all of it.

    Pixels are never compressed anew, and colours and the way up stay as they are. Every
    format lists the parts that stay.

    Raises:
        DamagedError: the file cannot be followed to its end, so nobody knows what is in
            it.
    """
    strip = _FORMATS[media].strip
    if strip is None:
        return None
    reader = FileReader(file)
    try:
        pieces = joined(reader, strip(reader))
    except TooManyPartsError as exc:
        raise DamagedError(str(exc)) from exc
    return None if pieces == [range(reader.size)] else pieces
