"""
Pictures read and converted.  One of the homes of Pillow.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from krea_cli.errors import DownloadError
from krea_cli.jobs.media import AVIF, GIF, JPEG, PNG, TIFF, WEBP, Media

_FORMATS = {
    PNG: "PNG",
    JPEG: "JPEG",
    WEBP: "WEBP",
    GIF: "GIF",
    AVIF: "AVIF",
    TIFF: "TIFF",
}


def size(path: Path) -> tuple[int, int] | None:
    """
    Width and height in pixels, by the header alone; None when it cannot be read.
    """
    try:
        with _opened(path) as picture:
            return picture.size
    except DownloadError:
        return None


def convert(source: Path, target: IO[bytes], media: Media) -> None:
    """
    Write the picture at *source* to *target* as another kind of picture.  What is
    transparent becomes white where the kind knows no transparency.

    Raises:
        DownloadError: *source* is no picture that can be decoded.
    """
    with _opened(source) as picture:
        profile = picture.info.get("icc_profile")
        shown = _flattened(picture) if media == JPEG else picture
        shown.save(target, _FORMATS[media], icc_profile=profile)


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
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        ValueError,
        SyntaxError,
    ) as exc:
        raise DownloadError(f"The picture cannot be decoded: {exc}.") from exc
