"""
Download one result into a file, and check that it is complete, of a known type and not
too large.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable
from typing import NamedTuple

from krea_cli.api.http_types import DownloadBody, ResumePoint
from krea_cli.downloads.download_client import DownloadClient, ResumeRejectedError
from krea_cli.errors import (
    DownloadError,
    ResponseLostError,
    TooLargeError,
    UnsupportedResultError,
)
from krea_cli.files.atomic_file import AtomicFile
from krea_cli.media import HEAD_BYTES, RESULT_TYPES, MediaType, sniff
from krea_cli.media.formats import Completeness, completeness


class DownloadedFile(NamedTuple):
    """
    The type, size and digest of a complete result.
    """

    media: MediaType
    size_bytes: int
    sha256: str


class PartialDownload:
    """
    Download one result into `new`, in several attempts if necessary. `max_bytes` limits
    its size. `on_progress` is called with the number of bytes received and the length
    of the file, or None if the length is not known.

    If the server sent a strong entity tag, each attempt continues where the previous
    one stopped, with Range and If-Range. Otherwise it starts again.
    """

    def __init__(
        self,
        client: DownloadClient,
        new: AtomicFile,
        *,
        max_bytes: int,
        on_progress: Callable[[int, int | None], object],
    ) -> None:
        self._client = client
        self._new = new
        self._max_bytes = max_bytes
        self._on_progress = on_progress
        self._url = ""
        self._etag: str | None = None
        self._length: int | None = None
        # True if the first response sent the length, or checks the end of the data.
        self._is_announced = False
        # True if the file comes from a single response.
        self._is_one_piece = False
        self._size, self._head = 0, b""
        self._sha256 = hashlib.sha256()

    def attempt(self, url: str) -> DownloadedFile:
        """
        Download the missing part of the file, and check the file.

        Raises:
            ResponseLostError: the file was truncated or damaged in transit.
            UrlExpiredError: the URL may have expired.
            DownloadError: the file is not a valid result, or too large.
            ServiceError, StorageError: as `DownloadClient.open` and `AtomicFile`.
        """
        # An entity tag is valid for one URL only.
        resume_point = self._resume_point() if url == self._url else None
        self._url = url
        try:
            with self._client.open(url, resume_point=resume_point) as body:
                self._receive(body)
        except ResumeRejectedError:
            self._etag = None
            raise
        return self._verify()

    def _resume_point(self) -> ResumePoint | None:
        if not (self._etag and self._size):
            return None
        return ResumePoint(size=self._size, etag=self._etag, length=self._length)

    def _begin(self, body: DownloadBody) -> None:
        self._length, self._etag = body.length, body.etag
        self._is_one_piece = body.start == 0
        if body.start == 0:
            self._size, self._head = 0, b""
            self._sha256 = hashlib.sha256()
            self._is_announced = body.length is not None or body.checks_end
        self._new.truncate(self._size)

    def _receive(self, body: DownloadBody) -> None:
        if (body.length or 0) > self._max_bytes:
            raise self._too_large_error(body.length)
        self._begin(body)
        for chunk in body.chunks:
            self._size += len(chunk)
            if self._size > self._max_bytes:
                raise self._too_large_error(self._length)
            if len(self._head) < HEAD_BYTES:
                self._head += chunk[:HEAD_BYTES]
                if len(self._head) >= HEAD_BYTES:
                    _result_type(self._head, self._url)
            self._new.write(chunk)
            self._sha256.update(chunk)
            self._on_progress(self._size, self._length)

    def _verify(self) -> DownloadedFile:
        media = _result_type(self._head, self._url)
        if self._length not in (None, self._size):
            raise self._incomplete_error("The download is incomplete.")
        found = completeness(self._new.file, media, is_all=self._is_announced)
        if found == Completeness.OPEN_ENDED:
            raise _unverifiable_error(media, self._url)
        if found == Completeness.FOLLOWED:
            raise self._incomplete_error("The result has extra data at the end.")
        if found == Completeness.CROWDED:
            raise DownloadError(
                f"The {media.extension.upper()} result is damaged (too many parts) and "
                "was not saved.",
                is_lasting=True,
            )
        if found == Completeness.CUT and self._is_announced and self._is_one_piece:
            # All announced bytes are here, so another attempt would get the same file.
            raise DownloadError(
                f"The {media.extension.upper()} result is incomplete on the server and "
                "was not saved.",
                is_lasting=True,
            )
        if found == Completeness.CUT:
            raise self._incomplete_error("The download is incomplete.")
        return DownloadedFile(
            media=media, size_bytes=self._size, sha256=self._sha256.hexdigest()
        )

    def _incomplete_error(
        self, message: str, kind: type[ResponseLostError] = ResponseLostError
    ) -> ResponseLostError:
        if self._length is not None and self._size >= self._length:
            # Start again: more bytes would not repair the file.
            self._etag = None
        return kind(message)

    def _too_large_error(self, size_bytes: int | None) -> DownloadError:
        return TooLargeError(
            f"The result is larger than {self._max_bytes:,} bytes (--max-size) and was "
            "not saved.",
            size_bytes=size_bytes,
        )


def _unverifiable_error(media: MediaType, url: str) -> DownloadError:
    return UnsupportedResultError(
        f"Cannot verify that the {media.extension.upper()} result is complete, so it "
        "was not saved.",
        hint=_browser_hint(url),
    )


def _browser_hint(url: str) -> str:
    return f"Download it with a browser: {url}"


def _result_type(head: bytes, url: str) -> MediaType:
    """
    Return the type of a result by its first bytes.

    Raises:
        DownloadError: the result is empty or text.
        UnsupportedResultError: its type is unknown.
    """
    media = sniff(head)
    if media in RESULT_TYPES:
        return media
    is_page = head.lstrip().startswith(b"<")
    is_drawing = is_page and b"<svg" in head.lower()
    is_text = is_page or all(chr(each) in string.printable for each in head)
    if not head:
        raise DownloadError("The result is empty and was not saved.")
    if is_text and not is_drawing:
        # A proxy or login page may have responded instead of the server.
        found = "an HTML or XML page" if is_page else "plain text"
        raise DownloadError(
            f"The result is {found} and was not saved.",
            hint=(
                "Check whether a proxy or login page intercepts the connection.",
                _browser_hint(url),
            ),
        )
    raise UnsupportedResultError(
        "The result is an unknown file type and was not saved.",
        hint=_browser_hint(url),
    )
