"""
Images as they stand in a request, before they become URLs.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from krea_cli.errors import InputError
from krea_cli.media import Media


@dataclass(frozen=True, slots=True)
class Original:
    """
    A local image as it was given, before its metadata was taken out: the absolute
    *path*, or "-" for standard input, or "data:" for a data URI.
    """

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LocalImage:
    """
    A checked file: *path* to its bytes, *name* as the user knows it, *original* what
    the user gave.
    """

    name: str
    path: Path
    media: Media
    sha256: str
    size_bytes: int
    original: Original | None = None

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """
        Raises:
            InputError: it went away since it was checked.
        """
        try:
            file = self.path.open("rb")
        except OSError as exc:
            raise InputError(f"{self.name} cannot be read: {exc.strerror}.") from exc
        with file:
            yield file

    def data_uri(self) -> str:
        with self.open() as file:
            encoded = b64encode(file.read()).decode("ascii")
        return f"data:{self.media.media_type};base64,{encoded}"


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """
    A URL that the service is to fetch itself.
    """

    url: str

    @property
    def name(self) -> str:
        return self.url


Image = LocalImage | RemoteImage


def inline_url_of(image: Image) -> str:
    """
    A local image as a data URI, in the request itself.
    """
    return image.url if isinstance(image, RemoteImage) else image.data_uri()


def named_url_of(image: Image) -> str:
    """
    What stands for an image in a request that is only shown.
    """
    return image.url if isinstance(image, RemoteImage) else f"(upload of {image.name})"
