"""
Represent the inputs of a request before they become URLs.
"""

from __future__ import annotations

import os
from binascii import b2a_base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from krea_cli.errors import InputError
from krea_cli.media import MediaType

# A multiple of 3, so that in base64 only the last chunk is padded.
_CHUNK = 3 * 2**18

# The data URI of a file up to this size is kept in memory.
_KEPT_BYTES = 4 * 2**20

# Inode, size, and time of the last change in nanoseconds.
State = tuple[int, int, int]


def state(file: IO[bytes]) -> State:
    """
    Return a value that differs after the file has changed.
    """
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_size, found.st_mtime_ns


class Digest:
    """
    The SHA-256 of a file, "" until the file has been read once, and its data URI, b""
    unless it is kept in memory.
    """

    def __init__(self, sha256: str = "") -> None:
        self.sha256 = sha256
        self.data_uri = b""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """
    A checked file. `path` may be a temporary copy; `name` is the user's name for it,
    and `original` the file that the user gave. `state` and `size_bytes` are from the
    check.
    """

    name: str
    path: Path
    media: MediaType
    state: State
    size_bytes: int
    original: OriginalFile | None = None
    digest: Digest = field(default_factory=Digest, compare=False)

    @property
    def sha256(self) -> str:
        """
        Return the SHA-256 of the file. The file is read for it at most once.

        Raises:
            InputError: as `chunks`.
        """
        if not self.digest.sha256:
            for _ in self.chunks():
                pass
        return self.digest.sha256

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """
        Open the file for reading.

        Raises:
            InputError: the file cannot be opened any more.
        """
        try:
            file = self.path.open("rb")
        except OSError as exc:
            raise InputError(f"Cannot read {self.name}: {exc.strerror}.") from exc
        with file:
            yield file

    @property
    def data_uri_bytes(self) -> int:
        """
        Return the length of the data URI.
        """
        return len(self._data_uri_head) + -(-self.size_bytes // 3) * 4

    def keep_data_uri(self) -> None:
        """
        Keep the data URI of a small file in memory, so that it is read and encoded
        only once. Large files are read each time.

        Raises:
            InputError: as `chunks`.
        """
        if self.size_bytes <= _KEPT_BYTES and not self.digest.data_uri:
            self.digest.data_uri = b"".join(self.data_uri())

    def data_uri(self) -> Iterator[bytes]:
        """
        Yield the file as a data URI. Raises InputError as `chunks` does.
        """
        if self.digest.data_uri:
            yield self.digest.data_uri
            return
        yield self._data_uri_head
        for chunk in self.chunks():
            yield b2a_base64(chunk, newline=False)

    def chunks(self) -> Iterator[bytes]:
        """
        Yield the content of the file, at most `size_bytes`.

        Raises:
            InputError: the file cannot be read; or, after the last chunk, it has
                changed since it was checked or read.
        """
        import hashlib  # it takes some milliseconds to load

        digest, left = hashlib.sha256(), self.size_bytes
        with self.open() as file:
            while chunk := self._read(file, min(_CHUNK, left)):
                digest.update(chunk)
                left -= len(chunk)
                yield chunk
            if not self.digest.sha256 and state(file) == self.state:
                self.digest.sha256 = digest.hexdigest()
        if digest.hexdigest() != self.digest.sha256:
            raise InputError(
                f"{self.name} changed while it was being read.",
                hint="Try again when no other program writes to it.",
            )

    @property
    def _data_uri_head(self) -> bytes:
        return f"data:{self.media.media_type};base64,".encode()

    def _read(self, file: IO[bytes], size: int) -> bytes:
        try:
            return file.read(size)
        except OSError as exc:
            raise InputError(f"Cannot read {self.name}: {exc.strerror}.") from exc


class OriginalFile(NamedTuple):
    """
    A file as the user gave it, before its metadata was removed. `path` is absolute, "-"
    for standard input, or "data:" for a data URI.
    """

    path: str
    image: LocalFile

    @property
    def sha256(self) -> str:
        return self.image.sha256


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """
    A URL that the service downloads itself.
    """

    url: str

    @property
    def name(self) -> str:
        return self.url


Image = LocalFile | RemoteFile


def inline(url_of: Callable[[Image], str]) -> Callable[[Image], str | LocalFile]:
    """
    Return a function for `Request.body` that leaves local files in the body, to be sent
    inline, and replaces remote files by `url_of`. It reads small files when called.
    """

    def leave(image: Image) -> str | LocalFile:
        if isinstance(image, RemoteFile):
            return url_of(image)
        image.keep_data_uri()
        return image

    return leave


def placeholder_url(image: Image, *, inline: bool) -> str:
    """
    Return text to display in place of an image in a dry run.
    """
    if isinstance(image, RemoteFile):
        return image.url
    return f"(data URI of {image.name})" if inline else f"(upload of {image.name})"
