"""
Write files so that they are either complete or absent, even if several processes share
a folder.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from krea_cli.files.private_dir import make_private_dir
from krea_cli.media import HEAD_BYTES, UPLOAD_TYPES, sniff
from krea_cli.media.formats import dimensions

_PREFIX = ".part-"
_STALE_SECONDS = 24 * 60 * 60


class TooLongError(Exception):
    """
    The content is longer than allowed.
    """


class UnknownMediaError(Exception):
    """
    The content does not have a media type that the API accepts.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """
    A file named by its SHA-256.

    The media type comes from its content, the size in pixels from its header. Both may
    be unknown.
    """

    path: Path
    sha256: str
    size_bytes: int
    media_type: str | None
    size: tuple[int, int] | None


def create_private_folder(folder: Path) -> None:
    """
    Create a folder that only this user can read, and delete leftovers of killed
    processes that are older than a day.
    """
    make_private_dir(folder)
    for part in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                part.unlink()


def delete_files(folder: Path) -> None:
    """
    Delete the files in the folder, except files that are being written.
    """
    for path in folder.iterdir():
        if not path.name.startswith(_PREFIX):
            path.unlink(missing_ok=True)


def write_file(target: Path, data: bytes) -> None:
    """
    Create or replace a file atomically.
    """
    with _part(target.parent) as (file, part):
        file.write(data)
        file.close()
        part.replace(target)


def store_blob(
    chunks: Iterable[bytes], folder: Path, *, limit: int, any_kind: bool
) -> StoredBlob:
    """
    Store content under its hash. If the chunks break off, nothing is left behind.

    Raises:
        TooLongError: there are more than `limit` bytes.
        UnknownMediaError: the content is not a media file, and `any_kind` is not set.
    """
    digest, length = hashlib.sha256(), 0
    with _part(folder) as (file, part):
        for chunk in chunks:
            length += len(chunk)
            if length > limit:
                raise TooLongError
            digest.update(chunk)
            file.write(chunk)
        file.seek(0)
        media = sniff(file.read(HEAD_BYTES))
        is_known = media in UPLOAD_TYPES
        if not (is_known or any_kind):
            raise UnknownMediaError
        size = dimensions(file, media)
        file.close()
        target = folder / digest.hexdigest()
        part.replace(target)
    return StoredBlob(
        path=target,
        sha256=target.name,
        size_bytes=length,
        media_type=media.media_type if media and is_known else None,
        size=size,
    )


@contextmanager
def _part(folder: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """
    Open a temporary file, and delete it in the end if it still has its name.
    """
    handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
