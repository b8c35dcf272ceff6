"""
Pictures read and converted.  One of the homes of Pillow.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
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
_FITTED_QUALITY, _MOST_TRIES = 95, 6
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


def thumbnail(path: Path, box: tuple[int, int]) -> Image.Image:
    """
    The picture as it is shown, in RGBA, made smaller if it does not fit into *box*
    (width and height in pixels).

    Raises:
        DownloadError: it is no picture that is known here, or one of too many pixels.
    """
    try:
        # Opening a FIFO would wait for somebody to write to it.
        found = size(path) if path.is_file() else None
    except OSError:
        found = None
    if found is None:
        raise DownloadError("It is no picture that is known here.")
    if found[0] * found[1] > MOST_PIXELS:
        raise DownloadError(f"It has {found[0]} x {found[1]} pixels, too many.")
    with _opened(path) as picture:
        shown = _smooth(_eight_bits(picture))
        # Made smaller before it is turned, as a large one is turned into a second one.
        shown.thumbnail((max(box), max(box)), reducing_gap=2.0)
        ImageOps.exif_transpose(shown, in_place=True)
        shown.thumbnail(box)
        return shown.convert("RGBA")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """
    Of the sixteen bits of a grey picture the upper eight.
    """
    if not picture.mode.startswith("I"):
        return picture
    return picture.point(lambda value: value / 256).convert("L")


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


def fit(
    source: Path, target: IO[bytes], media: Media, *, most_side: int, most_bytes: int
) -> tuple[int, int]:
    """
    Write the picture at *source* to *target*, of the same kind *media*, scaled down
    until neither a side nor the file is too large; its width and height then.  Colour
    profile and EXIF stay.

    Raises:
        DownloadError: *source* is no picture that can be decoded, or scaled.
        StorageError: it cannot be written.
    """
    with _opened(source) as picture:
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise DownloadError(f"It has {width} x {height} pixels, which is too many.")
        # A JPEG may hold other pictures, which are no animation.
        if media != JPEG and getattr(picture, "is_animated", False):
            raise DownloadError("It is an animation.")
        picture.load()
        whole = _smooth(picture)
        kept = {key: picture.info.get(key) or b"" for key in ("icc_profile", "exif")}
    scale = min(1.0, most_side / max(width, height))
    for _ in range(_MOST_TRIES):
        size = max(1, int(width * scale)), max(1, int(height * scale))
        encoded = _encoded(whole, size, media, kept)
        if len(encoded) <= most_bytes:
            target.write(encoded)
            return size
        scale *= 0.95 * math.sqrt(most_bytes / len(encoded))
        # Each of these may take as much memory as is bearable.
        del encoded
    raise DownloadError("It stays too large.")


def _encoded(
    whole: Image.Image, size: tuple[int, int], media: Media, kept: Mapping[str, bytes]
) -> memoryview:
    shown = whole
    if size != whole.size:
        shown = whole.resize(size, Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    try:
        shown.save(encoded, _FORMATS[media], quality=_FITTED_QUALITY, **kept)
    except (OSError, ValueError) as exc:
        raise StorageError(f"It cannot be written: {exc}.") from exc
    return encoded.getbuffer()


def _smooth(picture: Image.Image) -> Image.Image:
    """
    The picture in colours between which there are others.
    """
    mode = {"1": "L", "P": "RGB"}.get(picture.mode, picture.mode)
    if picture.has_transparency_data:
        mode = "RGBA"
    return picture if picture.mode == mode else picture.convert(mode)


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
        reason = str(exc).rstrip(".")
        raise DownloadError(f"The picture cannot be decoded: {reason}.") from exc
