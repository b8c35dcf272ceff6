"""
A result that is whole gets its name, as what the name says it is.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from krea_cli.api.resources import SavedFile
from krea_cli.clock import within
from krea_cli.errors import DownloadError, StorageError, TargetExistsError
from krea_cli.jobs import pictures
from krea_cli.jobs.download import Received
from krea_cli.jobs.files import NewFile, holds
from krea_cli.media import Media, of_extension

CONVERT_SECONDS = 120.0


def place(
    new: NewFile, received: Received, target: Path, *, url: str, force: bool
) -> SavedFile:
    """
    Publish what was *received* from *url*; a picture of another kind than its name says
    is converted.

    Raises:
        TargetExistsError: the name is taken, by something else than this very result.
        StorageError: it cannot be written, or cannot become what its name says.
    """
    wanted = of_extension(target.suffix)
    if wanted in (None, received.media):
        file = described(new, received, target, url=url)
        _publish(new, file, force=force)
        return file
    if received.media.kind != "image" or not pictures.can_write(wanted):
        raise StorageError(
            f"The result is {received.media.extension.upper()}, which cannot become "
            f"{target.name}.",
            hint=f"Name it *.{received.media.extension}, or leave out -o.",
        )
    _checked_size(new.path)
    with NewFile(target.parent) as converted:
        _convert(new, converted, wanted)
        measured = _measured(converted, wanted)
        file = described(converted, measured, target, url=url)
        _publish(converted, file, force=force)
    return file


def described(new: NewFile, received: Received, path: Path, *, url: str) -> SavedFile:
    """
    Raises:
        DownloadError: the picture claims to be larger than any can be (hazard F16).
    """
    media = received.media
    size = _checked_size(new.path) if media.kind == "image" else None
    return SavedFile(
        path=str(path),
        url=url,
        media_type=media.media_type,
        size_bytes=received.size_bytes,
        sha256=received.sha256,
        width=size[0] if size else None,
        height=size[1] if size else None,
    )


def _checked_size(path: Path) -> tuple[int, int] | None:
    size = pictures.size(path)
    if size and size[0] * size[1] > pictures.MOST_CLAIMED_PIXELS:
        raise DownloadError(
            f"The result claims to be a picture of {size[0]} x {size[1]} pixels, more "
            "than any model makes; it is not saved."
        )
    return size


def _publish(new: NewFile, file: SavedFile, *, force: bool) -> None:
    target = Path(file.path)
    try:
        new.publish(target, force=force)
    except TargetExistsError:
        # It may be this very result, of a run that was killed before it could keep in
        # mind that it is there.
        if not holds(target, size=file.size_bytes, sha256=file.sha256):
            raise


def _convert(new: NewFile, converted: NewFile, wanted: Media) -> None:
    """
    In a thread that may be left behind: no encoder can be interrupted (hazard S1).
    """
    try:
        within(
            CONVERT_SECONDS,
            lambda: pictures.convert(new.path, converted.file, wanted),
        )
    except TimeoutError as exc:
        raise DownloadError(
            f"The picture cannot be made {wanted.extension.upper()} in time.",
            hint="Save it as it came: leave the ending to krea.",
        ) from exc


def _measured(new: NewFile, media: Media) -> Received:
    new.file.seek(0)
    digest = hashlib.file_digest(new.file, "sha256").hexdigest()
    size = new.file.seek(0, os.SEEK_END)
    return Received(media=media, size_bytes=size, sha256=digest)
