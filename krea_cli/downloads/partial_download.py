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
    Download one result into *new*, in several attempts if necessary. *max_bytes* is the
    largest size allowed. *received* is called with the number of bytes received and the
    length of the file, None if the length is not known.

    Each attempt continues where the last one stopped, with Range and If-Range, if the
    server named the version by a strong entity tag. Otherwise it starts again.
    """

    def __init__(
        self,
        fetcher: DownloadClient,
        new: AtomicFile,
        *,
        max_bytes: int,
        received: Callable[[int, int | None], object],
    ) -> None:
        self._fetcher = fetcher
        self._new = new
        self._max_bytes = max_bytes
        self._received = received
        self._url = ""
        self._etag: str | None = None
        self._length: int | None = None
        # By the answer that the whole began with, not only by that to a range of it.
        self._is_announced = False
        # Not put together from several answers, of which one may not belong to it.
        self._is_one_piece = False
        self._size, self._head = 0, b""
        self._sha256 = hashlib.sha256()

    def attempt(self, url: str) -> DownloadedFile:
        """
        Download what is still missing, and check the whole file.

        Raises:
            ResponseLostError: the result was cut, or broken on its way.
            UrlExpiredError: the URL may have expired.
            DownloadError: this is no result, or too large a one.
            ServiceError, StorageError: as `DownloadClient.open` and `AtomicFile`.
        """
        # An entity tag is of one URL.
        part = self._part() if url == self._url else None
        self._url = url
        try:
            with self._fetcher.open(url, part=part) as body:
                self._receive(body)
        except ResumeRejectedError:
            self._etag = None
            raise
        return self._verified()

    def _part(self) -> ResumePoint | None:
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
            raise self._too_large(body.length)
        self._begin(body)
        for chunk in body.chunks:
            self._size += len(chunk)
            if self._size > self._max_bytes:
                raise self._too_large(self._length)
            if len(self._head) < HEAD_BYTES:
                self._head += chunk[:HEAD_BYTES]
                if len(self._head) >= HEAD_BYTES:
                    _kind(self._head, self._url)
            self._new.write(chunk)
            self._sha256.update(chunk)
            self._received(self._size, self._length)

    def _verified(self) -> DownloadedFile:
        media = _kind(self._head, self._url)
        if self._length not in (None, self._size):
            raise self._not_whole("The download is incomplete.")
        found = completeness(self._new.file, media, is_all=self._is_announced)
        if found == Completeness.OPEN_ENDED:
            raise _cannot_be_told(media, self._url)
        if found == Completeness.FOLLOWED:
            raise self._not_whole("The result has extra data at the end.")
        if found == Completeness.CROWDED:
            raise DownloadError(
                f"The {media.extension.upper()} result is damaged (too many parts) and "
                "was not saved.",
                is_lasting=True,
            )
        if found == Completeness.CUT and self._is_announced and self._is_one_piece:
            # Every byte that was announced is here: another try would bring the same.
            raise DownloadError(
                f"The {media.extension.upper()} result is incomplete on the server and "
                "was not saved.",
                is_lasting=True,
            )
        if found == Completeness.CUT:
            raise self._not_whole("The download is incomplete.")
        return DownloadedFile(
            media=media, size_bytes=self._size, sha256=self._sha256.hexdigest()
        )

    def _not_whole(
        self, message: str, kind: type[ResponseLostError] = ResponseLostError
    ) -> ResponseLostError:
        if self._length is not None and self._size >= self._length:
            # More of it would not mend it.
            self._etag = None
        return kind(message)

    def _too_large(self, size_bytes: int | None) -> DownloadError:
        return TooLargeError(
            f"The result is larger than {self._max_bytes:,} bytes and was not saved.",
            size_bytes=size_bytes,
            hint="Raise the limit with --max-size.",
        )


def _cannot_be_told(media: MediaType, url: str) -> DownloadError:
    return UnsupportedResultError(
        f"Cannot verify that the {media.extension.upper()} result is complete, so it "
        "was not saved.",
        hint=_fetch_it(url),
    )


def _fetch_it(url: str) -> str:
    return f"Download it with a browser: {url}"


def _kind(head: bytes, url: str) -> MediaType:
    """
    Raises:
        DownloadError: it is empty or text.
        UnsupportedResultError: it is of no kind that a job gives.
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
        # Something between krea and the server may have answered in its place.
        said = "an HTML or XML page" if is_page else "plain text"
        raise DownloadError(
            f"The result is {said} and was not saved.",
            hint=(
                "Check whether a proxy or login page intercepts the connection.",
                _fetch_it(url),
            ),
        )
    raise UnsupportedResultError(
        "The result is an unknown file type and was not saved.",
        hint=_fetch_it(url),
    )
