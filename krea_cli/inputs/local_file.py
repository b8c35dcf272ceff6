"""
Hold the inputs of a request before they become URLs.
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

# Three bytes are four letters, so that only the last piece is padded.
_CHUNK = 3 * 2**18

# A file up to this size is kept as its data URI once it was read for one.
_KEPT_BYTES = 4 * 2**20

# Which file it is, its size, and when it was written to last.
State = tuple[int, int, int]


def state(file: IO[bytes]) -> State:
    """
    Return a value that changes as soon as the file does.
    """
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_size, found.st_mtime_ns


class Digest:
    """
    The sha256 of a file, empty until the whole file has been read once, and its data
    URI, empty unless it is kept.
    """

    def __init__(self, sha256: str = "") -> None:
        self.sha256 = sha256
        self.data_uri = b""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """
    A checked file: *path* to its bytes, *name* as the user knows it, *state* and
    *size_bytes* when it was checked, *original* what the user gave.
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
        Return the sha256 of the whole file, which is read for it at most once.

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
            InputError: it is gone since it was checked.
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
        Read, hash and encode a small file, once for all the times that it is sent. A
        large one is not held in memory, but read each time.

        Raises:
            InputError: as `chunks`.
        """
        if self.size_bytes <= _KEPT_BYTES and not self.digest.data_uri:
            self.digest.data_uri = b"".join(self.data_uri())

    def data_uri(self) -> Iterator[bytes]:
        """
        Yield the file as a data URI, under the conditions of `chunks`.
        """
        if self.digest.data_uri:
            yield self.digest.data_uri
            return
        yield self._data_uri_head
        for chunk in self.chunks():
            yield b2a_base64(chunk, newline=False)

    def chunks(self) -> Iterator[bytes]:
        """
        Yield the file in pieces, no more of it than there was when it was checked.

        Raises:
            InputError: the file cannot be read, or, at the end, it has changed since it
                was checked or read.
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
    A local image as it was given, before its metadata was taken out: the absolute
    *path*, or "-" for standard input, or "data:" for a data URI.
    """

    path: str
    image: LocalFile

    @property
    def sha256(self) -> str:
        return self.image.sha256


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """
    A URL that the service is to fetch itself.
    """

    url: str

    @property
    def name(self) -> str:
        return self.url


Image = LocalFile | RemoteFile


def inline(url_of: Callable[[Image], str]) -> Callable[[Image], str | LocalFile]:
    """
    Return a function that leaves local files in the request, to be sent inline, and
    replaces others by their URL. Small files are read when it is called with them.
    """

    def leave(image: Image) -> str | LocalFile:
        if isinstance(image, RemoteFile):
            return url_of(image)
        image.keep_data_uri()
        return image

    return leave


def placeholder_url(image: Image, *, inline: bool) -> str:
    """
    Return a text that stands for an image in a request that is only shown.
    """
    if isinstance(image, RemoteFile):
        return image.url
    return f"(data URI of {image.name})" if inline else f"(upload of {image.name})"
