"""
Pictures (and clips) that go in: found, checked, and made into something to send.

Everything local is checked before anything is sent; then a file is uploaded once,
however often it is named, and its URL stands in the request.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import unquote_to_bytes, urlsplit

from krea_cli.errors import InputError
from krea_cli.jobs.inputs import Image, LocalImage, RemoteImage
from krea_cli.media import UPLOADED, Media, sniff

MOST_BYTES = 75 * 10**6


class Images:
    """
    Reads image arguments.  What has no file of its own (standard input, data URIs,
    fetched URLs) is kept in a temporary folder until `close`.
    """

    def __init__(
        self, stdin: Callable[[], IO[bytes]], *, allows_loopback: bool
    ) -> None:
        self._stdin = stdin
        self._allows_loopback = allows_loopback
        self._folder: Path | None = None

    def read(self, argument: str) -> Image:
        """
        The image that *argument* names: a path, a URL, a data URI, or "-".

        Raises:
            InputError: it cannot be used; nothing was sent.
        """
        if argument == "-":
            return self.keep("standard input", iter_chunks(self._stdin()))
        scheme = argument.partition(":")[0].lower()
        if scheme == "data":
            return self.keep("the data URI", iter([_decode(argument)]))
        if scheme in ("http", "https") and "://" in argument:
            return self._remote(argument)
        return check_file(Path(argument))

    def keep(self, name: str, chunks: Iterator[bytes]) -> LocalImage:
        """
        The bytes as a checked file in the temporary folder.

        Raises:
            InputError: they are no image, or too many.
        """
        try:
            path = self._write(name, chunks)
        except OSError as exc:
            reason = exc.strerror or exc
            raise InputError(f"{name} cannot be read or kept: {reason}.") from exc
        return check_file(path, name)

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _write(self, name: str, chunks: Iterator[bytes]) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="krea-"))
        descriptor, path = tempfile.mkstemp(dir=self._folder)
        size = 0
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > MOST_BYTES:
                    raise _too_big(name, size)
                file.write(chunk)
        return Path(path)

    def _remote(self, url: str) -> RemoteImage:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            host = ""
        if not host:
            raise InputError(f"{url} is no URL of an image.")
        is_local = self._allows_loopback and _is_this_machine(host)
        if parts.scheme.lower() != "https" and not is_local:
            raise InputError(
                f"{url} is not https.", hint="Save it to a file first, and give that."
            )
        return RemoteImage(url)


def _is_this_machine(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def check_file(path: Path, name: str | None = None) -> LocalImage:
    """
    The file as an image to send.

    Raises:
        InputError: it is missing, no regular file, unreadable, empty, too big, or no
            kind of file that the service takes (hazard N17).
    """
    name = name or str(path)
    try:
        # Opening a FIFO would wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"{name} is no regular file.")
            if found.st_size > MOST_BYTES:
                raise _too_big(name, found.st_size)
            media = _media(file.read(32), name)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except IsADirectoryError:
        raise InputError(f"{name} is a folder, not an image.") from None
    except FileNotFoundError:
        raise InputError(f"{name} does not exist.") from None
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise InputError(f"{name} cannot be read: {reason}.") from exc
    return LocalImage(name, path, media, digest, found.st_size)


def iter_chunks(file: IO[bytes], size: int = 1 << 16) -> Iterator[bytes]:
    while chunk := file.read(size):
        yield chunk


def _media(head: bytes, name: str) -> Media:
    if not head:
        raise InputError(f"{name} is empty.")
    media = sniff(head)
    if media is None:
        raise InputError(
            f"{name} is no image that is known: its first bytes are of no known kind.",
            hint="The service takes JPEG, PNG, WebP and HEIC.",
        )
    if media not in UPLOADED:
        raise InputError(
            f"{name} is {media.extension.upper()}, which the service does not take.",
            hint="Convert it to PNG or JPEG first.",
        )
    return media


def _too_big(name: str, size: int) -> InputError:
    return InputError(
        f"{name} has {size / 1e6:.1f} MB; the service takes at most 75 MB.",
        hint="Scale it down, or save it with more compression.",
    )


def _decode(uri: str) -> bytes:
    head, _, data = uri.partition(",")
    try:
        raw = unquote_to_bytes(data)
        return base64.b64decode(raw, validate=True) if _is_base64(head) else raw
    except ValueError as exc:
        raise InputError(f"The data URI cannot be decoded: {exc}.") from exc


def _is_base64(head: str) -> bool:
    return head.lower().endswith(";base64")
