"""
Check inputs against the limits of the service.
"""

from __future__ import annotations

from krea_cli.errors import InputError
from krea_cli.inputs.local_file import LocalFile
from krea_cli.media import HEIC, JPEG, PNG, WEBP, MediaType
from krea_cli.media.formats import dimensions

MAX_BYTES = 75 * 10**6
MAX_SIDE = 16_384
# An image to be scaled down may be this large: the maximum number of pixels,
# uncompressed.
MAX_SCALED = 2**29
# The file types that --fit can scale down.
SCALED = frozenset({JPEG, PNG, WEBP})

_TOO_LARGE_HERE = "Resize it in another program."


def check(image: LocalFile) -> None:
    """
    Check the size of a file in bytes and in pixels.

    Raises:
        InputError: the service would reject it.
    """
    if image.size_bytes > MAX_BYTES:
        raise too_many_bytes(image.name, image.size_bytes, image.media)
    width, height = _sides(image) or (0, 0)
    if max(width, height) > MAX_SIDE:
        raise InputError(
            f"{image.name} is {width}x{height}; "
            f"Krea accepts up to {MAX_SIDE:,} pixels per side.",
            hint=_hint(image.media),
        )


def too_many_bytes(
    name: str, size: int, media: MediaType | None, *, is_all: bool = True
) -> InputError:
    """
    Return the error for a file of `size` bytes. With `is_all=False`, it is even larger,
    and the rest was not read.
    """
    more = "" if is_all else "more than "
    return InputError(
        f"{name} is {more}{size / 1e6:.1f} MB; Krea accepts up to 75 MB.",
        hint=_hint(media) if size <= MAX_SCALED else _TOO_LARGE_HERE,
    )


def _hint(media: MediaType | None) -> str:
    if media in SCALED:
        return "Add --fit to scale it down."
    if media == HEIC:
        return "Convert it to JPEG or PNG, then add --fit."
    return "Shorten it, or compress it more."


def _sides(image: LocalFile) -> tuple[int, int] | None:
    """
    Return width and height in pixels, or None if the header cannot be read.
    """
    with image.open() as file:
        return dimensions(file, image.media)
