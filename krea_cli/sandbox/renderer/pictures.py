"""
Pictures given as input, read with care (hazard F16).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO

from PIL import (
    ExifTags,
    Image,
    ImageOps,
    JpegImagePlugin,
    WebPImagePlugin,
)
from PIL.Image import Resampling

from krea_cli.media import HEIC, of_type
from krea_cli.media.formats import (
    Completeness,
    completeness,
    dimensions,
    is_on_its_side,
)
from krea_cli.media.images import eight_bits, open_png
from krea_cli.sandbox.renderer import scenes

MOST_PIXELS = 89_478_485

# Opened by class, not by `Image.open`: no other format is ever tried on the bytes.
_READERS: dict[str, Callable[[IO[bytes]], Image.Image]] = {
    "image/jpeg": JpegImagePlugin.JpegImageFile,
    "image/png": open_png,
    "image/webp": WebPImagePlugin.WebPImageFile,
}
# A longer stand-in would take long to draw, and show no more.
_LONGEST_STAND_IN = 1024
# From here on, the EXIF orientation lays the picture on its side.
_LYING = 5


class UnreadableError(Exception):
    """
    The file is no picture that can be read; the text says why.
    """


@lru_cache(maxsize=256)
def check(path: Path, media_type: str) -> None:
    """
    Raises:
        UnreadableError: `load` would not give the picture.
    """
    load(path, media_type, longest=64)


def load(path: Path, media_type: str, *, longest: int) -> Image.Image:
    """
    The picture upright, in RGB on white, at most *longest* pixels long; for a HEIC,
    which nothing here can decode, a built-in picture of its shape.

    Raises:
        UnreadableError: another format than JPEG, PNG, WebP or HEIC, damaged, or above
            `MOST_PIXELS`.
    """
    if of_type(media_type) == HEIC:
        sides = _heic_size(path)
        shrink = min(1.0, min(longest, _LONGEST_STAND_IN) / max(sides))
        return scenes.placeholder(
            (max(1, round(sides[0] * shrink)), max(1, round(sides[1] * shrink)))
        )
    with _opened(path, media_type) as image:
        image.draft("RGB", (longest, longest))
        upright = ImageOps.exif_transpose(eight_bits(image))
        upright.thumbnail((longest, longest), Resampling.LANCZOS)
        if not upright.has_transparency_data:
            return upright.convert("RGB")
        ground = Image.new("RGBA", upright.size, "white")
        return Image.alpha_composite(ground, upright.convert("RGBA")).convert("RGB")


def size(path: Path, media_type: str) -> tuple[int, int]:
    """
    Width and height of the picture, upright.

    Raises:
        UnreadableError: as `load`.
    """
    if of_type(media_type) == HEIC:
        return _heic_size(path)
    with _opened(path, media_type) as image:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        is_lying = isinstance(orientation, int) and orientation >= _LYING
        return (image.height, image.width) if is_lying else image.size


def _heic_size(path: Path) -> tuple[int, int]:
    with path.open("rb") as file:
        if completeness(file, HEIC, is_all=True) != Completeness.COMPLETE:
            raise UnreadableError("it is damaged")
        found = dimensions(file, HEIC)
        if found is None:
            raise UnreadableError("its header is damaged")
        _check_size(found)
        try:
            is_lying = is_on_its_side(file)
        except ValueError as exc:
            raise UnreadableError("its header is damaged") from exc
    return found[::-1] if is_lying else found


@contextmanager
def _opened(path: Path, media_type: str) -> Iterator[Image.Image]:
    reader = _READERS.get(media_type)
    if reader is None:
        raise UnreadableError(f"it is {media_type}, not JPEG, PNG, WebP or HEIC")
    try:
        with path.open("rb") as file:
            # Some decoders make room for all pixels as soon as they are opened.
            _check_size(dimensions(file, of_type(media_type)))
            file.seek(0)
            with reader(file) as image:
                _check_size(image.size)
                yield image
    except UnreadableError:
        raise
    except Exception as exc:  # decoders raise nearly anything at damaged bytes
        raise UnreadableError("it is damaged") from exc


def _check_size(found: tuple[int, int] | None) -> None:
    if found is None:
        raise UnreadableError("its header is damaged")
    if found[0] * found[1] > MOST_PIXELS:
        raise UnreadableError(f"it has more than {MOST_PIXELS // 1_000_000} megapixels")
