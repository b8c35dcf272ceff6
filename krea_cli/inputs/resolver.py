"""
Read the inputs of a request: open them, check them, and prepare them for sending.

Local files are checked before anything is sent, and their metadata is removed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO
from urllib.parse import unquote_to_bytes, urlsplit

from krea_cli.errors import InputError
from krea_cli.inputs import limits
from krea_cli.inputs.input_files import check_file
from krea_cli.inputs.local_file import Image, LocalFile, OriginalFile, RemoteFile
from krea_cli.inputs.prepared_files import Fit, PreparedFiles
from krea_cli.media import sniff
from krea_cli.runtime.loopback import is_loopback
from krea_cli.runtime.user_paths import local_path


class InputResolver:
    """
    Read arguments that name input files.

    Standard input, data URIs, downloaded URLs, and changed copies are kept in a
    temporary folder until `close`.  With `keeps_metadata`, files are sent with their
    metadata.  `fit` scales down images; if it is None, they are rejected instead.
    """

    def __init__(
        self,
        stdin: Callable[[], IO[bytes]],
        *,
        allows_loopback: bool,
        keeps_metadata: bool = False,
        fit: Fit | None = None,
    ) -> None:
        self._stdin = stdin
        self._allows_loopback = allows_loopback
        self._keeps_metadata = keeps_metadata
        self._fit = fit
        self._max_bytes = limits.MAX_BYTES if fit is None else limits.MAX_SCALED
        self._copies = PreparedFiles()

    def read(self, argument: str, *, stdin_option: str = "-i -") -> Image:
        """
        Return the input that `argument` names: a path, a file URI, a URL, a data URI,
        or "-".  A local file is ready to be sent.  `stdin_option` is the option that
        reads standard input here.

        Raises:
            InputError: the input cannot be used.
        """
        if not argument:
            raise InputError("The file name is empty.")
        if argument == "-":
            return self._save_and_prepare(
                "standard input", "-", iter_chunks(self._stdin())
            )
        scheme = argument.partition(":")[0].lower()
        if scheme == "data":
            return self._save_and_prepare(
                "the data URI", "data:", iter([_decode(argument)])
            )
        if scheme in ("http", "https") and "://" in argument:
            return self._remote(argument)
        path = Path(local_path(argument))
        image = check_file(path, max_bytes=self._max_bytes, stdin_option=stdin_option)
        return self._prepare(image, str(image.path.absolute()))

    def keep(self, name: str, chunks: Iterator[bytes]) -> LocalFile:
        """
        Save the bytes as a checked file in the temporary folder. Scale it down if
        necessary.

        Raises:
            InputError: the bytes are not an image, or too many.
        """
        path = self._write(name, chunks)
        return self._within_limits(check_file(path, name, max_bytes=self._max_bytes))

    def close(self) -> None:
        self._copies.close()

    def _save_and_prepare(
        self, name: str, given: str, chunks: Iterator[bytes]
    ) -> LocalFile:
        path = self._write(name, chunks)
        return self._prepare(check_file(path, name, max_bytes=self._max_bytes), given)

    def _prepare(self, image: LocalFile, given: str) -> LocalFile:
        stripped = (
            image if self._keeps_metadata else self._copies.without_metadata(image)
        )
        return replace(
            self._within_limits(stripped), original=OriginalFile(given, image)
        )

    def _within_limits(self, image: LocalFile) -> LocalFile:
        try:
            limits.check(image)
        except InputError:
            if self._fit is None or image.media not in limits.SCALED:
                raise
            return self._copies.fitted(image, self._fit)
        return image

    def _write(self, name: str, chunks: Iterator[bytes]) -> Path:
        def fill(file: IO[bytes]) -> None:
            size, media = 0, None
            for chunk in chunks:
                media = media or sniff(chunk)
                size += len(chunk)
                if size > self._max_bytes:
                    raise limits.too_many_bytes(name, size, media, is_all=False)
                file.write(chunk)

        return self._copies.write(name, fill)

    def _remote(self, url: str) -> RemoteFile:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            host = ""
        if not host:
            raise InputError(f"Invalid image URL: {url}")
        is_local = self._allows_loopback and is_loopback(host)
        if parts.scheme.lower() != "https" and not is_local:
            raise InputError(
                f"{url} does not start with https://.",
                hint="Download it, then pass the file.",
            )
        return RemoteFile(url)


def iter_chunks(file: IO[bytes], size: int = 1 << 16) -> Iterator[bytes]:
    while chunk := file.read(size):
        yield chunk


def _decode(uri: str) -> bytes:
    head, _, data = uri.partition(",")
    try:
        raw = unquote_to_bytes(data)
        return base64.b64decode(raw, validate=True) if _is_base64(head) else raw
    except ValueError as exc:
        reason = "its data is not valid base64"
        raise InputError(f"Cannot decode the data URI: {reason}.") from exc


def _is_base64(head: str) -> bool:
    return head.lower().endswith(";base64")
