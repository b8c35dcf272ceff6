"""
Download files from untrusted URLs: results of jobs, and input files.

No credentials are sent, and each redirect is checked like the first URL.
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
from krea_cli.downloads.content_encoding import (
    MAX_CODINGS,
    SUPPORTED_CODINGS,
    decode,
    parse_codings,
)
from krea_cli.downloads.url_policy import UrlPolicy, displayed_url
from krea_cli.errors import (
    DownloadError,
    ResponseLostError,
    ServerError,
    UnsupportedResultError,
)
from krea_cli.runtime.clock import Clock

MAX_REDIRECTS = 5
# Give up on a download that is slower than this.
MIN_BYTES, MIN_BYTES_WINDOW_SECONDS = 30_000, 30.0
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
    The server does not continue a partial download, so it must start again.
    """


class DownloadClient:
    """
    Open URLs for download. `allows_loopback` is for a service on this computer.
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
        self, url: str, *, resume_point: ResumePoint | None = None
    ) -> Iterator[DownloadBody]:
        """
        Open a URL for download. With a `resume_point`, ask only for the rest of the
        file. `DownloadBody.start` says if the server agreed.

        Raises:
            UrlExpiredError, DownloadError: the URL is not allowed, or its response is
                not a result.
            ResumeRejectedError: the response does not continue at the `resume_point`.
            ServiceError: the host cannot be reached, or the connection broke; also
                while the chunks are read.
        """
        range_headers = (
            {"Range": f"bytes={resume_point.size}-", "If-Range": resume_point.etag}
            if resume_point
            else {}
        )
        for _ in range(MAX_REDIRECTS + 1):
            self._policy.check(url)
            with self._transport.stream(url, range_headers) as stream:
                self._policy.check_peer(stream.peer, url)
                target = stream.headers.get("Location")
                if 300 <= stream.status < 400 and target:
                    url = _join_url(url, target)
                    continue
                yield self._body(stream, url, resume_point)
                return
        raise DownloadError(
            f"{displayed_url(url)} redirects too often "
            f"(more than {MAX_REDIRECTS} times)."
        )

    def _body(
        self, stream: StreamedResponse, url: str, resume_point: ResumePoint | None
    ) -> DownloadBody:
        """
        Check the response, and decode its body.
        """
        status, headers = stream.status, stream.headers
        if status in (401, 403, 404, 410):
            raise UrlExpiredError(f"{displayed_url(url)} returned HTTP {status}.")
        if status >= 500 or status == 429:
            raise ServerError(f"{displayed_url(url)} returned HTTP {status}.")
        if resume_point and status == 416:
            raise ResumeRejectedError(f"{displayed_url(url)} returned HTTP 416.")
        if status != 200 and not (resume_point and status == 206):
            raise DownloadError(f"{displayed_url(url)} returned HTTP {status}.")
        chunks = self._reject_slow(stream.chunks, url)
        if codings := parse_codings(headers.get("Content-Encoding", "")):
            return _decoded_body(chunks, codings, url, is_part=status == 206)
        if resume_point and status == 206:
            length = _continued_length(headers, resume_point, url)
            return DownloadBody(
                chunks=chunks,
                start=resume_point.size,
                length=length,
                etag=resume_point.etag,
            )
        return DownloadBody(chunks=chunks, length=_length(headers), etag=_etag(headers))

    def _reject_slow(self, chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
        started, received = self._clock.now(), 0
        for chunk in chunks:
            yield chunk
            received += len(chunk)
            if self._clock.now() - started >= MIN_BYTES_WINDOW_SECONDS:
                if received < MIN_BYTES:
                    raise DownloadError(
                        f"{displayed_url(url)} is too slow; download stopped."
                    )
                started, received = self._clock.now(), 0


def _decoded_body(
    chunks: Iterator[bytes], codings: list[str], url: str, *, is_part: bool
) -> DownloadBody:
    """
    Decode a compressed file. The response's length and entity tag are of the compressed
    bytes, so the download cannot be resumed.

    Raises:
        DownloadError: the coding is not supported.
        ResumeRejectedError: the response is a part of the compressed bytes.
    """
    if is_part:
        raise ResumeRejectedError(f"{displayed_url(url)} returned a compressed part.")
    if len(codings) > MAX_CODINGS or not SUPPORTED_CODINGS.issuperset(codings):
        raise UnsupportedResultError(
            f"{displayed_url(url)} returned data in an unsupported encoding "
            f"({', '.join(codings)[:MAX_QUOTED_CHARS]}).",
            hint=f"Download it with a browser: {url}",
        )
    return DownloadBody(chunks=decode(chunks, codings), checks_end=True)


def _continued_length(
    headers: Mapping[str, str], resume_point: ResumePoint, url: str
) -> int:
    """
    Return the length of the complete file from a 206 response that continues at the
    `resume_point`.

    Raises:
        ResumeRejectedError: the response is another part, or of another file.
    """
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    first, last, length = map(int, match.groups()) if match else (0, 0, 0)
    if (
        not resume_point.size == first <= last == length - 1
        or resume_point.length not in (None, length)
        or _length(headers) not in (None, length - first)
        or headers.get("ETag", resume_point.etag) != resume_point.etag
    ):
        raise ResumeRejectedError(
            f"{displayed_url(url)} returned the wrong part of the file."
        )
    return length


def _join_url(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError as exc:
        raise DownloadError(
            f"{displayed_url(url)} redirects to an invalid URL.", is_lasting=True
        ) from exc


def _length(headers: Mapping[str, str]) -> int | None:
    """
    Return the Content-Length, or None if it is missing, invalid or does not apply
    because of a Transfer-Encoding.
    """
    length = headers.get("Content-Length", "")
    if "Transfer-Encoding" in headers or not _LENGTH.fullmatch(length):
        return None
    return int(length)


def _etag(headers: Mapping[str, str]) -> str | None:
    """
    Return the entity tag if it is strong. A weak one does not guarantee equal bytes.
    """
    etag = headers.get("ETag", "").strip()
    return etag if _STRONG_ETAG.fullmatch(etag) else None
