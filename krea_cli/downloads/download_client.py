"""
Download files from URLs of foreign origin: results of jobs, and pictures used as input.

Such a URL is not trusted: no credential is sent, and each redirect is checked like the
first URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urljoin

from krea_cli.api.http import HttpTransport
from krea_cli.api.http_types import (
    MAX_QUOTED_CHARS,
    DownloadBody,
    ResumePoint,
    StreamedResponse,
)
from krea_cli.downloads.content_encoding import DECODED, MAX_CODINGS, codings, decoded
from krea_cli.downloads.url_policy import UrlPolicy, shown
from krea_cli.errors import (
    DownloadError,
    ResponseLostError,
    ServerError,
    UnsupportedResultError,
)
from krea_cli.runtime.clock import Clock

REDIRECTS = 5
# Slower than this over half a minute is given up.
SLOWEST_BYTES, SLOWEST_SECONDS = 30_000, 30.0
_STRONG_ETAG = re.compile(r'"[!#-~]*"')
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_LENGTH = re.compile(r"[0-9]{1,18}")


class UrlExpiredError(DownloadError):
    """
    The URL returned 401, 403, 404 or 410: it may have expired.
    """

    code = "url_gone"


class ResumeRejectedError(ResponseLostError):
    """
    The server does not continue a partial download: the file must be downloaded from
    its start.
    """


class DownloadClient:
    """
    Open URLs for download. *allows_loopback* is for a service on this machine.
    """

    def __init__(
        self, transport: HttpTransport, clock: Clock, *, allows_loopback: bool
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._policy = UrlPolicy(
            allows_loopback=allows_loopback,
            trust_env=transport.trust_env,
        )

    @contextmanager
    def open(
        self, url: str, *, part: ResumePoint | None = None
    ) -> Iterator[DownloadBody]:
        """
        Open the file behind *url*. With a *part*, only the rest is sent if the file has
        not changed and the server supports it: see `DownloadBody.start`.

        Raises:
            UrlExpiredError, DownloadError: the URL is refused or gives no good answer.
            ResumeRejectedError: the answer does not fit the *part*.
            ServiceError: the host cannot be reached, or the connection broke; also
                while the chunks are read.
        """
        asked = {"Range": f"bytes={part.size}-", "If-Range": part.etag} if part else {}
        for _ in range(REDIRECTS + 1):
            self._policy.check(url)
            with self._transport.stream(url, asked) as stream:
                self._policy.check_peer(stream.peer, url)
                target = stream.headers.get("Location")
                if 300 <= stream.status < 400 and target:
                    url = _joined(url, target)
                    continue
                yield self._body(stream, url, part)
                return
        raise DownloadError(
            f"{shown(url)} redirects too often (more than {REDIRECTS} times)."
        )

    def _body(
        self, stream: StreamedResponse, url: str, part: ResumePoint | None
    ) -> DownloadBody:
        """
        Raises:
            DownloadError: a status or an encoding that no result has.
        """
        status, headers = stream.status, stream.headers
        if status in (401, 403, 404, 410):
            raise UrlExpiredError(f"{shown(url)} returned HTTP {status}.")
        if status >= 500 or status == 429:
            raise ServerError(f"{shown(url)} returned HTTP {status}.")
        if part and status == 416:
            raise ResumeRejectedError(f"{shown(url)} returned HTTP 416.")
        if status != 200 and not (part and status == 206):
            raise DownloadError(f"{shown(url)} returned HTTP {status}.")
        chunks = self._paced(stream.chunks, url)
        if applied := codings(headers.get("Content-Encoding", "")):
            return _decoded_body(chunks, applied, url, is_part=status == 206)
        if part and status == 206:
            length = _continued_length(headers, part, url)
            return DownloadBody(
                chunks=chunks, start=part.size, length=length, etag=part.etag
            )
        return DownloadBody(chunks=chunks, length=_length(headers), etag=_etag(headers))

    def _paced(self, chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
        since, seen = self._clock.now(), 0
        for chunk in chunks:
            yield chunk
            seen += len(chunk)
            if self._clock.now() - since >= SLOWEST_SECONDS:
                if seen < SLOWEST_BYTES:
                    raise DownloadError(f"{shown(url)} is too slow; download stopped.")
                since, seen = self._clock.now(), 0


def _decoded_body(
    chunks: Iterator[bytes], applied: list[str], url: str, *, is_part: bool
) -> DownloadBody:
    """
    Decode a file that was sent compressed. Its length and entity tag are of the
    compressed bytes, so it can only be downloaded from its start.

    Raises:
        DownloadError: it cannot be decoded here.
        ResumeRejectedError: it is a part of the compressed bytes.
    """
    if is_part:
        raise ResumeRejectedError(f"{shown(url)} returned a compressed part.")
    if len(applied) > MAX_CODINGS or not DECODED.issuperset(applied):
        raise UnsupportedResultError(
            f"{shown(url)} returned data in an unsupported encoding "
            f"({', '.join(applied)[:MAX_QUOTED_CHARS]}).",
            hint=f"Download it with a browser: {url}",
        )
    return DownloadBody(chunks=decoded(chunks, applied), checks_end=True)


def _continued_length(headers: Mapping[str, str], part: ResumePoint, url: str) -> int:
    """
    Return the length of the whole file, from a 206 response that continues exactly at
    the end of *part*.

    Raises:
        ResumeRejectedError: it is another piece, or one of another file.
    """
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    first, last, length = map(int, match.groups()) if match else (0, 0, 0)
    if (
        not part.size == first <= last == length - 1
        or part.length not in (None, length)
        or _length(headers) not in (None, length - first)
        or headers.get("ETag", part.etag) != part.etag
    ):
        raise ResumeRejectedError(f"{shown(url)} returned the wrong part of the file.")
    return length


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError as exc:
        raise DownloadError(
            f"{shown(url)} redirects to an invalid URL.", is_lasting=True
        ) from exc


def _length(headers: Mapping[str, str]) -> int | None:
    """
    Return the length of the body. A length beside Transfer-Encoding does not count.
    """
    length = headers.get("Content-Length", "")
    if "Transfer-Encoding" in headers or not _LENGTH.fullmatch(length):
        return None
    return int(length)


def _etag(headers: Mapping[str, str]) -> str | None:
    """
    Return the entity tag if it is strong: a weak one does not promise the same bytes.
    """
    etag = headers.get("ETag", "").strip()
    return etag if _STRONG_ETAG.fullmatch(etag) else None
