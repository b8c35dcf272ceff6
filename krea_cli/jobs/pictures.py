"""
Pictures read and converted.  One of the homes of Pillow.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    WebPImagePlugin,
)

from krea_cli.errors import DownloadError, StorageError
from krea_cli.media import AVIF, GIF, JPEG, PNG, TIFF, WEBP, Media, sniff

_FORMATS = {
    PNG: "PNG",
    JPEG: "JPEG",
    WEBP: "WEBP",
    GIF: "GIF",
    AVIF: "AVIF",
    TIFF: "TIFF",
}
_READERS: dict[Media | None, Callable[[Path], ImageFile.ImageFile]] = {
    JPEG: JpegImagePlugin.JpegImageFile,
    GIF: GifImagePlugin.GifImageFile,
    WEBP: WebPImagePlugin.WebPImageFile,
    AVIF: AvifImagePlugin.AvifImageFile,
}
_ORIENTATION, _QUARTER_TURNS = 0x0112, (5, 6, 7, 8)
# What 8192 x 8192 takes in memory is bearable; more is not worth the risk (P6).
MOST_PIXELS = 2**26
# More than any model makes, upscalers included.
MOST_CLAIMED_PIXELS = 2**29
# Pillow reads a WebP or an AVIF whole before it knows how large the picture is.
_HEADER_BYTES = 32 * 2**20


def size(path: Path) -> tuple[int, int] | None:
    """
    Width and height in pixels, by the header alone; None when it cannot be read, or
    only by reading much more (hazards F16, N13).
    """
    try:
        with path.open("rb") as file:
            head = file.read(24)
        kind = sniff(head)
        if kind == PNG and len(head) == 24:
            return struct.unpack(">8x4x4xII", head)
        if path.stat().st_size > _HEADER_BYTES:
            return None
        if kind in _READERS:
            # `Image.open` refuses a picture that claims too much, without saying what.
            with _READERS[kind](path) as picture:
                return picture.size
        with _opened(path) as picture:
            return picture.size
    except Exception:  # noqa: BLE001  (whatever a decoder may raise)
        return None


def shown_size(path: Path) -> tuple[int, int] | None:
    """
    Width and height as the picture is shown: a camera held upright says so only in a
    tag beside the pixels.
    """
    try:
        with _opened(path) as picture:
            width, height = picture.size
            is_turned = picture.getexif().get(_ORIENTATION, 1) in _QUARTER_TURNS
    except DownloadError:
        return None
    return (height, width) if is_turned else (width, height)


def can_write(media: Media) -> bool:
    return media in _FORMATS


def convert(source: Path, target: IO[bytes], media: Media) -> None:
    """
    Write the picture at *source* to *target* as another kind of picture.  What is
    transparent becomes white where the kind knows no transparency.

    Raises:
        DownloadError: *source* is no picture that can be decoded.
        StorageError: it cannot be written as *media*, or *target* not at all.
    """
    with _opened(source) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise DownloadError(
                f"The picture has {picture.width} x {picture.height} pixels, too many "
                "to be converted here.",
                hint="Save it as it came: leave the ending to krea, as {job_id}.{ext}.",
            )
        profile = picture.info.get("icc_profile")
        picture.load()
        shown = _flattened(picture) if media == JPEG else picture
    try:
        # Given a real file, Pillow does not notice that the disk is full.
        encoded = io.BytesIO()
        shown.save(encoded, _FORMATS[media], icc_profile=profile)
        target.write(encoded.getbuffer())
        target.flush()
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise StorageError(
            f"The picture cannot be written as {media.extension.upper()}: {reason}.",
            hint="Choose another place or another kind of file with -o.",
        ) from exc


def _flattened(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered).convert("RGB")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """
    The picture, with a header that asks for gigabytes refused (hazard F16).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=list(_FORMATS.values())) as picture:
                yield picture
    except DownloadError:
        raise
    except Exception as exc:  # whatever a decoder may raise
        raise DownloadError(f"The picture cannot be decoded: {exc}.") from exc
