"""
Publish a complete result under its name, converted if the name asks for another type.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from krea_cli.api.models import SavedFile
from krea_cli.downloads.partial_download import DownloadedFile
from krea_cli.errors import (
    ConversionError,
    DownloadError,
    StorageError,
    TargetExistsError,
)
from krea_cli.files.atomic_file import AtomicFile, has_content
from krea_cli.files.file_identity import FileIdentity
from krea_cli.media import MediaType, conversion, images, of_extension
from krea_cli.media.decoding import decode_with_timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """
    Give results their names. With `force`, replace existing files; without it, only
    files unchanged since `replaces`. `quality` (1 to 100) is for converted images.
    `warn` is called with a message if a conversion loses something.
    """

    force: bool
    quality: int | None
    warn: Callable[[str], None]
    replaces: Sequence[FileIdentity] = ()

    def place(
        self, new: AtomicFile, received: DownloadedFile, target: Path, *, url: str
    ) -> SavedFile:
        """
        Publish a result under the name `target`, unchanged. Convert a picture if the
        extension asks for another type.

        Raises:
            TargetExistsError: a file with other content exists.
            ConversionError: the result could not be converted, and was saved with its
                own extension.
            StorageError: the file cannot be written.
        """
        media = of_extension(target.suffix)
        if media is None or media == received.media:
            file = saved_file(new, received, target, url=url)
            _publish(new, file, force=self._may_replace(target))
            return file
        if received.media.kind == "image":
            _checked_size(new.path)
        with AtomicFile(target.parent) as converted:
            try:
                self._convert(new, received.media, converted, target)
                measured = _digest(converted, media)
                file = saved_file(converted, measured, target, url=url)
            except StorageError as exc:
                kept = _save_unconverted(new, received, target, url=url)
                raise ConversionError(exc.message, kept=kept) from exc
            file = replace(file, converted_from=received.media.media_type)
            _publish(converted, file, force=self._may_replace(target))
        return file

    def _may_replace(self, target: Path) -> bool:
        return self.force or FileIdentity.of(target) in self.replaces

    def _convert(
        self, new: AtomicFile, media: MediaType, converted: AtomicFile, target: Path
    ) -> None:
        wanted = of_extension(target.suffix)
        if media.kind != "image" or wanted is None or not conversion.can_write(wanted):
            raise StorageError(
                f"Cannot convert {media.extension.upper()} to {target.name}."
            )
        convert = partial(
            conversion.convert, new.path, converted.file, wanted, quality=self.quality
        )
        if decode_with_timeout(convert):
            self.warn(
                f"{target} has only the first frame of an animation. "
                f"Use *.{media.extension} to save all of it."
            )


def _save_unconverted(
    new: AtomicFile, received: DownloadedFile, target: Path, *, url: str
) -> SavedFile:
    """
    Publish a result that could not be converted, with its own extension and, if that
    file exists, with part of its digest in the name.
    """
    path = target.with_suffix(f".{received.media.extension}")
    is_it = has_content(path, size=received.size_bytes, sha256=received.sha256)
    if os.path.lexists(path) and not is_it:
        path = path.with_stem(f"{path.stem}-{received.sha256[:8]}")
    file = saved_file(new, received, path, url=url)
    _publish(new, file, force=False)
    return file


def saved_file(
    new: AtomicFile, received: DownloadedFile, path: Path, *, url: str
) -> SavedFile:
    """
    Return the data about a saved result.

    Raises:
        DownloadError: a picture claims an impossible size.
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
    """
    Return width and height as displayed, after the rotation that the file asks for.
    """
    size = images.shown_size(path)
    if size and size[0] * size[1] > images.MAX_CLAIMED_PIXELS:
        raise DownloadError(
            f"The result claims {size[0]}x{size[1]} pixels, which no model makes. "
            "It was not saved.",
            is_lasting=True,
        )
    return size


def _publish(new: AtomicFile, file: SavedFile, *, force: bool) -> None:
    target = Path(file.path)
    try:
        new.publish(target, force=force)
    except TargetExistsError:
        # A run that was killed may have saved the same result without recording it.
        if not has_content(target, size=file.size_bytes, sha256=file.sha256):
            raise


def _digest(new: AtomicFile, media: MediaType) -> DownloadedFile:
    new.file.seek(0)
    digest = hashlib.file_digest(new.file, "sha256").hexdigest()
    size = new.file.seek(0, os.SEEK_END)
    return DownloadedFile(media=media, size_bytes=size, sha256=digest)
