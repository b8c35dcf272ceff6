"""
Measure images, open them safely and make thumbnails. One of the homes of Pillow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, cast

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageChops,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from krea_cli.errors import DownloadError
from krea_cli.media import (
    AVIF,
    BMP,
    GIF,
    HEAD_BYTES,
    HEIC,
    JPEG,
    PNG,
    TIFF,
    WEBP,
    MediaType,
    png,
    sniff,
)
from krea_cli.media.formats import dimensions, is_on_its_side
from krea_cli.media.reader import FileReader

FORMATS = {
    PNG: "PNG",
    JPEG: "JPEG",
    WEBP: "WEBP",
    GIF: "GIF",
    AVIF: "AVIF",
    TIFF: "TIFF",
}
# BMP can be read but is not written.
_READ_FORMATS = {**FORMATS, BMP: "BMP"}
# Pillow rejects PNG color profiles above this size. Its default of 1 MiB is too small
# for some profiles of printers and scanners.
PngImagePlugin.MAX_TEXT_CHUNK = 2**24
_SIXTEEN_BITS = "RGB;16B"


def open_png(
    source: Path | IO[bytes],
    read: Callable[[Path | IO[bytes]], Image.Image] = PngImagePlugin.PngImageFile,
) -> Image.Image:
    """
    Open a PNG with `read`, without decoding it.

    Raises:
        ValueError: it has several color profiles.
        Exception: whatever else Pillow raises.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            _check_profiles(file)
    else:
        _check_profiles(source)
        source.seek(0)
    picture = read(source)
    _reduce_transparency_to_8_bit(picture)
    return picture


def _check_profiles(file: IO[bytes]) -> None:
    # Pillow decompresses every profile on opening, to up to a thousand times its size:
    # a file full of them would take minutes.
    if png.count_profiles(FileReader(file)) > 1:
        raise ValueError("it has several color profiles")


def _reduce_transparency_to_8_bit(picture: Image.Image) -> None:
    # Pillow keeps the upper 8 of 16 bits for pixels, but not for the color that marks
    # transparency.
    color = picture.info.get("transparency")
    tiles = getattr(picture, "tile", ())
    if isinstance(color, tuple) and any(tile.args == _SIXTEEN_BITS for tile in tiles):
        picture.info["transparency"] = tuple(value >> 8 for value in color)


_READERS: dict[MediaType | None, Callable[[Path], Image.Image]] = {
    JPEG: JpegImagePlugin.JpegImageFile,
    PNG: open_png,
    GIF: GifImagePlugin.GifImageFile,
    WEBP: WebPImagePlugin.WebPImageFile,
    AVIF: AvifImagePlugin.AvifImageFile,
}
_ORIENTATION, _QUARTER_TURNS = 0x0112, (5, 6, 7, 8)
# 8192 x 8192 pixels need an acceptable amount of memory.
MAX_PIXELS = 2**26
# Colors look the same if red, green and blue each differ by less than this (of 255).
_SAME_COLOR = 4
# Bytes per pixel that decoding needs before the image can be scaled down. A JPEG is
# scaled while decoding, unless it is progressive.
_PIXEL_BYTES = {JPEG: 0, PNG: 4, GIF: 4, TIFF: 4, BMP: 4, AVIF: 16, WEBP: 16}
_ROUNDS_PIXEL_BYTES = 4
# Memory limit for an image that the user did not ask to see.
_LIGHT_BYTES = 2**27
# More than any model produces, upscalers included.
MAX_CLAIMED_PIXELS = 2**29
# Pillow loads a whole WebP or AVIF before it knows its size.
_HEADER_BYTES = 32 * 2**20


def size(path: Path) -> tuple[int, int] | None:
    """
    Return width and height in pixels, read from the header.

    Return None if the header is unreadable, or could only be read by loading much of
    the file.
    """
    try:
        with path.open("rb") as file:
            kind = sniff(file.read(HEAD_BYTES))
            if kind in (PNG, WEBP, HEIC):
                return dimensions(file, kind)
        if kind == AVIF and path.stat().st_size > _HEADER_BYTES:
            return None
        if kind in _READERS:
            # `Image.open` rejects an image with too many pixels without saying how
            # many.
            with _READERS[kind](path) as picture:
                return picture.size
        with open_image(path) as picture:
            return picture.size
    except Exception:  # noqa: BLE001  (whatever a decoder may raise)
        return None


def shown_size(path: Path) -> tuple[int, int] | None:
    """
    Return width and height with the orientation tag applied.

    Cameras held upright store the rotation only in that tag.
    """
    found = size(path)
    return found[::-1] if found and _is_on_its_side(path) else found


def _is_on_its_side(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            kind = sniff(file.read(HEAD_BYTES))
            if kind == HEIC:
                return is_on_its_side(file)
        if kind in (WEBP, AVIF) and path.stat().st_size > _HEADER_BYTES:
            return False
        with _READERS[kind](path) as picture:
            # The PNG reader would decode the pixels to find tags after them.
            tags = Image.Image.getexif(picture)
            return tags.get(_ORIENTATION) in _QUARTER_TURNS
    except Exception:  # noqa: BLE001  (whatever a decoder may raise)
        return False


def thumbnail(path: Path, box: tuple[int, int]) -> Image.Image:
    """
    Return the image as it is shown, in RGBA, scaled down to fit into `box`.

    `box` is the maximum width and height in pixels.

    Raises:
        DownloadError: the file is not a supported image, or has too many pixels.
    """
    try:
        # Opening a FIFO would block until something writes to it.
        found = size(path) if path.is_file() else None
        # The size of a HEIC is readable, but no decoder for its pixels is installed.
        is_decoded = found is not None and _kind(path) != HEIC
    except OSError:
        is_decoded = False
    if not is_decoded:
        raise DownloadError("Not a known image type.")
    with open_image(path, _open_for_thumbnail) as picture:
        shown = to_scalable_mode(to_8_bit(picture))
        # Scale first: rotating makes a copy, which for a large image needs much memory.
        shown.thumbnail((max(box), max(box)), reducing_gap=2.0)
        ImageOps.exif_transpose(shown, in_place=True)
        shown.thumbnail(box)
        return shown.convert("RGBA")


def is_heavy(path: Path) -> bool:
    """
    Return whether `thumbnail` would need more than 128 MiB for this image, or reject
    it.
    """
    width, height = size(path) or (0, 0)
    try:
        with open_image(path, _open_for_thumbnail) as picture:
            kinds = (
                kind for kind, name in _READ_FORMATS.items() if name == picture.format
            )
            cost = _PIXEL_BYTES[next(kinds)]
            if picture.info.get("progressive"):
                cost = _ROUNDS_PIXEL_BYTES
    except DownloadError:
        return width * height > MAX_PIXELS
    return width * height * cost > _LIGHT_BYTES


def to_8_bit(picture: Image.Image) -> Image.Image:
    """
    Reduce a 16-bit gray image to the upper 8 bits.

    If one of its grays marks transparency, it becomes an alpha channel.
    """
    if not picture.mode.startswith("I"):
        return picture
    key = picture.info.get("transparency")
    if picture.mode == "I;16" and isinstance(key, int):
        return _with_alpha(picture, key)
    return picture.point(lambda value: value / 256).convert("L")


def _with_alpha(picture: Image.Image, key: int) -> Image.Image:
    # Read the lower and upper byte of each pixel as gray and alpha.
    both = Image.frombytes("LA", picture.size, picture.tobytes("raw", "I;16"))
    lower, upper = both.split()
    is_key = ImageChops.darker(
        lower.point([255 * (value == key & 0xFF) for value in range(256)]),
        upper.point([255 * (value == key >> 8) for value in range(256)]),
    )
    shown = Image.merge("LA", (upper, ImageChops.invert(is_key)))
    shown.info = {
        name: value for name, value in picture.info.items() if name != "transparency"
    }
    return shown


def is_blank(path: Path) -> bool:
    """
    Return whether the visible image has a single color, or nearly so.

    Raises:
        DownloadError: the image cannot be decoded, or has too many pixels.
    """
    with open_image(path, _open_for_thumbnail) as picture:
        picture.load()
        shown = to_scalable_mode(to_8_bit(picture))
    if shown.mode == "RGBA":
        # Premultiply alpha: the colors of transparent pixels do not count.
        shown = shown.convert("RGBa")
    bands = [shown.getchannel(band).getextrema() for band in shown.getbands()]
    spans = cast("list[tuple[int, int]]", bands)
    return all(most - least <= _SAME_COLOR for least, most in spans)


def check_pixels(size: tuple[int, int]) -> None:
    """
    Reject an image size with too many pixels.

    Raises:
        DownloadError: there are more than MAX_PIXELS.
    """
    width, height = size
    if width * height > MAX_PIXELS:
        raise DownloadError(
            f"Cannot read the image: {width}x{height} is too many pixels."
        )


def to_scalable_mode(picture: Image.Image) -> Image.Image:
    """
    Convert the image to a mode with continuous colors, which can be scaled.
    """
    if picture.has_transparency_data:
        picture = to_8_bit(picture)
    mode = {"1": "L", "P": "RGB"}.get(picture.mode, picture.mode)
    if picture.has_transparency_data:
        mode = "RGBA"
    return picture if picture.mode == mode else picture.convert(mode)


def _kind(path: Path) -> MediaType | None:
    with path.open("rb") as file:
        return sniff(file.read(HEAD_BYTES))


def _open(path: Path) -> Image.Image:
    if _kind(path) == PNG:
        return open_png(path, partial(Image.open, formats=[FORMATS[PNG]]))
    return Image.open(path, formats=list(_READ_FORMATS.values()))


def _open_for_thumbnail(path: Path) -> Image.Image:
    """
    Open an image for a thumbnail.

    A JPEG with too many pixels is decoded at an eighth of its width and height. That
    needs little memory, unless it is progressive: then it is rejected.
    """
    found = size(path)
    if not found or found[0] * found[1] <= MAX_PIXELS:
        return _open(path)
    if _kind(path) != JPEG:
        check_pixels(found)
    picture = _READERS[JPEG](path)
    if picture.info.get("progressive"):
        picture.close()
        check_pixels(found)
    picture.draft(None, (found[0] // 8, found[1] // 8))
    return picture


@contextmanager
def open_image(
    path: Path, open_picture: Callable[[Path], Image.Image] = _open
) -> Iterator[Image.Image]:
    """
    Open an image, and reject a header that claims gigabytes of pixels.

    Raises:
        DownloadError: the image cannot be read, or claims too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with open_picture(path) as picture:
                yield picture
    except DownloadError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise DownloadError("Cannot read the image: too many pixels.") from exc
    except UnidentifiedImageError as exc:
        # Pillow's own message contains the name of a temporary file.
        raise DownloadError("Cannot read the image: damaged file.") from exc
    except Exception as exc:  # decoders may raise anything
        reason = str(exc).rstrip(".")
        raise DownloadError(f"Cannot read the image: {reason}.") from exc
