"""
Re-encode images: as another type, or smaller. One of the homes of Pillow.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from PIL import Image, ImageCms, ImageOps

from krea_cli.errors import DownloadError, StorageError
from krea_cli.media import AVIF, GIF, JPEG, LOSSY, PNG, TIFF, WEBP, MediaType
from krea_cli.media.codecs import PILLOW, can_encode
from krea_cli.media.images import (
    FORMATS,
    check_pixels,
    open_image,
    to_8_bit,
    to_scalable_mode,
)

# Pillow modes that each file type can store.
_MODES = {
    PNG: {"L", "LA", "RGB", "RGBA", "I;16"},
    TIFF: {"L", "LA", "RGB", "RGBA", "I;16", "CMYK"},
    JPEG: {"L", "RGB"},
    WEBP: {"RGB", "RGBA"},
    AVIF: {"L", "RGB", "RGBA"},
    GIF: {"L", "RGB", "RGBA"},
}
_SPACES = {b"RGB ": "RGB", b"GRAY": "LI", b"CMYK": "CMYK"}
_FITTED_QUALITY, _MAX_TRIES = 95, 6
_USUAL_QUALITY = 90
_SLOW_PIXELS = 2**22


def can_write(media: MediaType) -> bool:
    """
    Return whether images can be converted to `media`.
    """
    return media in FORMATS


def convert(
    source: Path, target: IO[bytes], media: MediaType, *, quality: int | None = None
) -> bool:
    """
    Write the image at `source` to `target` as type `media`, in upright orientation.

    Return True if the source is an animation: then only its first frame is written.

    `quality` is 1 to 100 and only applies to LOSSY types. Transparent areas become
    white if the type has no transparency. The color profile is kept if the type can
    store the color mode.

    Raises:
        DownloadError: `source` cannot be decoded, or has too many pixels.
        StorageError: the image cannot be encoded as `media`, or `target` cannot be
            written.
    """
    with open_image(source) as picture:
        check_pixels(picture.size)
        # A JPEG may contain further images that are not animation frames.
        is_animated = picture.format in ("GIF", "WEBP", "AVIF", "PNG") and getattr(
            picture, "is_animated", False
        )
        picture.load()
        # The copy has a single frame, so the encoder cannot find others.
        shown = picture.copy() if is_animated else picture
        shown, profile = _to_writable_mode(_apply_orientation(shown), media)
    if not can_encode(media):
        raise StorageError(
            f"Cannot write the image as {media.extension.upper()}: {PILLOW} is "
            "installed without the codec."
        )
    options = {"quality": quality or _USUAL_QUALITY} if media in LOSSY else {}
    if media == AVIF and shown.width * shown.height > _SLOW_PIXELS:
        # Eight times faster than the default, and the file is hardly larger.
        options["speed"] = 9
    try:
        # Pillow does not notice a full disk when it writes to a real file.
        encoded = io.BytesIO()
        shown.save(encoded, FORMATS[media], icc_profile=profile, **options)
        target.write(encoded.getbuffer())
        target.flush()
    except Exception as exc:  # encoders may raise anything
        reason = getattr(exc, "strerror", None) or str(exc) or "out of memory"
        raise StorageError(
            f"Cannot write the image as {media.extension.upper()}: {reason}."
        ) from exc
    return is_animated


def _apply_orientation(picture: Image.Image) -> Image.Image:
    # A damaged orientation tag does not affect the pixels.
    with suppress(Exception):
        ImageOps.exif_transpose(picture, in_place=True)
    return picture


def _to_writable_mode(
    picture: Image.Image, media: MediaType
) -> tuple[Image.Image, bytes | None]:
    """
    Convert the image to a mode that `media` can store. Return it with its color
    profile.
    """
    profile, modes = picture.info.get("icc_profile"), _MODES[media]
    if picture.mode == "CMYK" and picture.mode not in modes:
        return _cmyk_to_rgb(picture, profile), None
    if "I;16" not in modes or picture.has_transparency_data:
        picture = to_8_bit(picture)
    shown = to_scalable_mode(picture)
    if shown.mode == "RGBA" and media == JPEG:
        white = Image.new("RGB", shown.size, "white")
        white.paste(shown, mask=shown.getchannel("A"))
        shown = white
    if shown.mode not in modes:
        shown = shown.convert("RGB")
    space = _SPACES.get(profile[16:20], shown.mode) if profile else shown.mode
    return shown, profile if shown.mode[0] in space else None


def _cmyk_to_rgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """
    Convert a CMYK image to RGB, using its color profile if that is usable.
    """
    with suppress(ImportError, OSError, ImageCms.PyCMSError):
        if profile:
            inks = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            screen = ImageCms.createProfile("sRGB")
            shown = ImageCms.profileToProfile(picture, inks, screen, outputMode="RGB")
            if shown is not None:
                return shown
    return picture.convert("RGB")


def fit(
    source: Path,
    target: IO[bytes],
    media: MediaType,
    *,
    max_side: int,
    max_bytes: int,
) -> tuple[int, int]:
    """
    Scale the image at `source` down to the limits, and write it to `target`.

    It keeps its type `media`, color profile and EXIF. `max_side` limits both sides in
    pixels, `max_bytes` the file size. Return the new width and height.

    Raises:
        DownloadError: `source` cannot be decoded or scaled.
        StorageError: the image cannot be written.
    """
    with open_image(source) as picture:
        width, height = picture.size
        check_pixels(picture.size)
        # A JPEG may contain further images that are not animation frames.
        if media != JPEG and getattr(picture, "is_animated", False):
            raise DownloadError("it is an animation.")
        picture.load()
        whole = to_scalable_mode(picture)
        kept = {key: picture.info.get(key) or b"" for key in ("icc_profile", "exif")}
    scale = min(1.0, max_side / max(width, height))
    for _ in range(_MAX_TRIES):
        size = max(1, int(width * scale)), max(1, int(height * scale))
        encoded = _encoded(whole, size, media, kept)
        if len(encoded) <= max_bytes:
            target.write(encoded)
            return size
        scale *= 0.95 * math.sqrt(max_bytes / len(encoded))
        # Each of these may use as much memory as is acceptable.
        del encoded
    raise DownloadError("it would still be too large.")


def _encoded(
    whole: Image.Image,
    size: tuple[int, int],
    media: MediaType,
    kept: Mapping[str, bytes],
) -> memoryview:
    shown = whole
    if size != whole.size:
        shown = whole.resize(size, Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    try:
        shown.save(encoded, FORMATS[media], quality=_FITTED_QUALITY, **kept)
    except (OSError, ValueError) as exc:
        raise StorageError(f"Cannot write the image: {exc}.") from exc
    return encoded.getbuffer()
