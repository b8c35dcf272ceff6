"""
Decode input images and render results.

Only these functions load Pillow, so the server starts without it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from krea_cli.errors import DownloadError
from krea_cli.media import HEIC, JPEG, PNG, WEBP
from krea_cli.media.formats import Completeness, completeness
from krea_cli.sandbox.job import SandboxJob
from krea_cli.sandbox.sizes import Size, output_size

_READABLE = {media.media_type: media for media in (JPEG, PNG, WEBP, HEIC)}
# Size of the built-in image that represents images on Krea's host.
_BUILT_IN_SIZE: Size = (1200, 900)


class UnreadablePictureError(Exception):
    """
    The image cannot be decoded. The text says why.
    """


def render(job: SandboxJob, part: str, find: Callable[[str], Path]) -> bytes:
    """
    Render one part of the job's result.

    `find` returns the path of an input file by its SHA-256.

    Raises:
        UnreadablePictureError: the first input image can no longer be decoded.
        DownloadError: another input image can no longer be decoded.
    """
    from krea_cli.sandbox.renderer.compose import Composition

    given = None
    if job.pictures:
        sha256 = job.pictures[0].sha256
        given = picture_size(find(sha256)) if sha256 else _BUILT_IN_SIZE
    size = output_size(job.fields, given, enlarges=job.enlarges)
    return Composition(job, size, find).render(part)


@lru_cache(maxsize=256)
def check_picture(path: Path, media_type: str) -> None:
    """
    Check that the file is a usable image.

    Raises:
        UnreadablePictureError: the file cannot be decoded and is not a complete HEIC.
    """
    from krea_cli.media import images

    if media_type not in _READABLE:
        raise UnreadablePictureError(f"it is {media_type}, not JPEG, PNG, WebP or HEIC")
    width, height = picture_size(path)
    if width * height > images.MAX_PIXELS:
        most = images.MAX_PIXELS // 1_000_000
        raise UnreadablePictureError(f"it has more than {most} megapixels")
    try:
        if media_type != HEIC.media_type:
            images.thumbnail(path, (64, 64))
            return
    except DownloadError as exc:
        raise UnreadablePictureError("it is damaged") from exc
    # HEIC images are not decoded.
    with path.open("rb") as file:
        if completeness(file, HEIC, is_all=True) != Completeness.COMPLETE:
            raise UnreadablePictureError("it is damaged")


def picture_size(path: Path) -> Size:
    """
    Return width and height of the image in its upright orientation.

    Raises:
        UnreadablePictureError: the file is damaged.
    """
    from krea_cli.media import images

    found = images.shown_size(path)
    if found is None:
        raise UnreadablePictureError("it is damaged")
    return found
