"""
Files that are whole or not there, also with several processes in the same folder.
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
from krea_cli.media import HEAD_BYTES, UPLOADED, sniff
from krea_cli.media.dimensions import dimensions

_PREFIX = ".part-"
_STALE_SECONDS = 24 * 60 * 60


class TooLongError(Exception):
    """
    More bytes came than are taken.
    """


class UnknownKindError(Exception):
    """
    The bytes are of no kind that the API takes.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """
    A file under the name of its sha256; *media_type* by its bytes, None when unknown;
    *size* in pixels for the pictures whose header tells it.
    """

    path: Path
    sha256: str
    size_bytes: int
    media_type: str | None
    size: tuple[int, int] | None


def make_private(folder: Path) -> None:
    """
    The folder, for this user only; what killed processes left in it a day ago goes.
    """
    make_private_dir(folder)
    for part in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                part.unlink()


def empty(folder: Path) -> None:
    """
    Remove the files of the folder, but for those that are being written.
    """
    for path in folder.iterdir():
        if not path.name.startswith(_PREFIX):
            path.unlink(missing_ok=True)


def write(target: Path, data: bytes) -> None:
    """
    Put the file in its place at once; an older one is replaced.
    """
    with _part(target.parent) as (file, part):
        file.write(data)
        file.close()
        part.replace(target)


def keep(
    chunks: Iterable[bytes], folder: Path, *, limit: int, any_kind: bool
) -> StoredBlob:
    """
    The bytes as a file of the folder; nothing stays when the chunks break off.

    Raises:
        TooLongError: there are more than *limit* bytes.
        UnknownKindError: they are no media file, unless *any_kind* will do.
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
        is_known = media in UPLOADED
        if not (is_known or any_kind):
            raise UnknownKindError
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
    A new file and its path; whatever is still there under that path in the end goes.
    """
    handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
