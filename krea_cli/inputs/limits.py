"""
Check inputs against the limits of the service.
"""

from __future__ import annotations

from krea_cli.errors import InputError
from krea_cli.inputs.local_file import LocalFile
from krea_cli.media import HEIC, JPEG, PNG, WEBP, MediaType
from krea_cli.media.formats import dimensions

MOST_BYTES = 75 * 10**6
MOST_SIDE = 16_384
# An image to be scaled down may be as large as the most pixels are, uncompressed.
MOST_SCALED = 2**29
# The file types that --fit can scale down.
SCALED = frozenset({JPEG, PNG, WEBP})

_TOO_LARGE_HERE = "Scale it down with another program."


def check(image: LocalFile) -> None:
    """
    Check the size of a file in bytes and in pixels.

    Raises:
        InputError: the service would refuse it.
    """
    if image.size_bytes > MOST_BYTES:
        raise too_many_bytes(image.name, image.size_bytes, image.media)
    width, height = _sides(image) or (0, 0)
    if max(width, height) > MOST_SIDE:
        raise InputError(
            f"{image.name} has {width} x {height} pixels; the service takes at most "
            f"{MOST_SIDE:,} on a side.",
            hint=_hint(image.media),
        )


def too_many_bytes(
    name: str, size: int, media: MediaType | None, *, is_all: bool = True
) -> InputError:
    """
    Return the error for a file of *size* bytes; unless *is_all*, more were not read.
    """
    more = "" if is_all else "more than "
    return InputError(
        f"{name} has {more}{size / 1e6:.1f} MB; the service takes at most 75 MB.",
        hint=_hint(media) if size <= MOST_SCALED else _TOO_LARGE_HERE,
    )


def _hint(media: MediaType | None) -> str:
    if media in SCALED:
        return "Scale it down with --fit."
    if media == HEIC:
        return "Save it as JPEG or PNG first; --fit scales these down."
    return "Shorten it, or save it with more compression."


def _sides(image: LocalFile) -> tuple[int, int] | None:
    """
    Return width and height in pixels of a picture whose header can be read.
    """
    with image.open() as file:
        return dimensions(file, image.media)
