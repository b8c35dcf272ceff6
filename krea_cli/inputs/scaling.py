"""
Scale an image down to the limits of the service.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

from krea_cli.inputs import limits
from krea_cli.inputs.local_file import LocalFile


def scale_down(
    image: LocalFile, target: IO[bytes], *, note: Callable[[str], object]
) -> None:
    """
    Write the image to `target`, as large as the service allows. Call `note` with a
    message about it.

    Raises:
        DownloadError: the image cannot be decoded.
    """
    from krea_cli.media import conversion
    from krea_cli.media.decoding import decode_with_timeout

    width, height = decode_with_timeout(
        lambda: conversion.fit(
            image.path,
            target,
            image.media,
            max_side=limits.MAX_SIDE,
            max_bytes=limits.MAX_BYTES,
        )
    )
    size = target.tell()
    size_text = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
    note(f"{image.name} is scaled down to {width}x{height}, {size_text}.")
