"""
Turn images into URLs that the service accepts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from krea_cli.api.http_types import RequestBody
from krea_cli.api.models import Asset
from krea_cli.downloads.url_policy import displayed_url
from krea_cli.errors import (
    DownloadError,
    InputError,
    JournalError,
    KreaError,
    ServiceError,
)
from krea_cli.inputs.local_file import Image, LocalFile, RemoteFile
from krea_cli.inputs.resolver import InputResolver
from krea_cli.inputs.upload_report import Report, ignore_report
from krea_cli.runtime.parallel import SharedWork, results_in_order
from krea_cli.runtime.worker_pool import WorkerPool

if TYPE_CHECKING:
    from krea_cli.api.client import ApiClient
    from krea_cli.downloads.download_client import DownloadClient
    from krea_cli.inputs.upload_cache import UploadCache

T = TypeVar("T")
# The service may reject more uploads at once.
MAX_AT_ONCE = 8


class _Counts:
    """
    Count the bytes sent of several files, and report them.
    """

    def __init__(self, files: Sequence[LocalFile], report: Report) -> None:
        self._files = len(files)
        self._size_bytes = sum(file.size_bytes for file in files)
        self._report = report
        self._lock = threading.Lock()
        self._sent: dict[LocalFile, int] = {}
        self._sent_bytes = self._done = 0

    def sent(self, file: LocalFile, size_bytes: int) -> None:
        """
        Set how many bytes of a file are sent. The number falls when it is sent again.
        """
        with self._lock:
            self._sent_bytes += size_bytes - self._sent.get(file, 0)
            self._sent[file] = size_bytes
            counts = self._done, self._files, self._sent_bytes, self._size_bytes
        self._report(*counts)

    def done(self, file: LocalFile) -> None:
        """
        Count a file as done, even if it did not have to be sent.
        """
        with self._lock:
            self._done += 1
        self.sent(file, file.size_bytes)


class Uploader:
    """
    Upload each file once in a run, and once a day with the upload cache. Several
    threads may use it.
    """

    def __init__(
        self,
        client: ApiClient,
        download_client: DownloadClient,
        resolver: InputResolver,
        cache: UploadCache,
    ) -> None:
        self._client = client
        self._download_client = download_client
        self._resolver = resolver
        self._cache = cache
        # By SHA-256.
        self._uploads = SharedWork[Asset]()
        # By the URL that the service rejected.
        self._replaced = SharedWork[str]()
        self._numbers = count(1)

    def url_of(self, image: Image) -> str:
        """
        Return the URL to send: of a local file, that of its upload; of a remote file,
        its own, or that of its upload if the service rejected its own in this run.
        """
        if isinstance(image, RemoteFile):
            return self._replaced.known(image.url) or image.url
        return self._known_url(image) or self._upload(image).url

    def fresh_url_of(self, image: Image) -> str:
        """
        Return the URL of an upload in this run. For images whose URL was rejected.

        Raises:
            InputError: a remote file cannot be downloaded.
        """
        if isinstance(image, RemoteFile):
            return self._replaced.result(
                image.url, lambda: self._upload(self._download(image)).url
            )
        return self._upload(image).url

    def prepare(self, images: Iterable[Image], report: Report = ignore_report) -> None:
        """
        Upload local files in parallel, unless they are in the cache. `url_of` then
        returns their URLs without waiting.

        Raises:
            KreaError: the first error. No upload starts after it.
        """

        def send(file: LocalFile, counts: _Counts) -> str:
            return self._known_url(file) or self._upload(file, counts).url

        files = dict.fromkeys(each for each in images if isinstance(each, LocalFile))
        for _ in _in_parallel(list(files), send, report):
            pass

    def upload_all(
        self, files: Sequence[LocalFile], report: Report = ignore_report
    ) -> Iterator[tuple[LocalFile, Asset]]:
        """
        Upload files in parallel, and files with the same content once. Yield each file
        with its asset, in the given order.

        Raises:
            KreaError: the first error, after all successful uploads were yielded. No
                upload starts after it.
        """
        return _in_parallel(files, self._upload, report)

    def _known_url(self, file: LocalFile) -> str | None:
        asset = self._uploads.known(file.sha256)
        return asset.url if asset else self._cache.url(file.sha256)

    def _upload(self, file: LocalFile, counts: _Counts | None = None) -> Asset:
        """
        Return the asset of a file, uploaded now or earlier in this run.

        Raises:
            InputError: the file has changed since it was checked.
        """
        return self._uploads.result(file.sha256, lambda: self._send(file, counts))

    def _send(self, file: LocalFile, counts: _Counts | None) -> Asset:
        def chunks() -> Iterator[bytes]:
            size = 0
            for chunk in file.chunks():
                yield chunk
                size += len(chunk)
                if counts:
                    counts.sent(file, size)

        # A neutral name, because file names may be private.
        name = f"image-{next(self._numbers)}.{file.media.extension}"
        body = RequestBody(size_bytes=file.size_bytes, chunks=chunks)
        asset = self._client.upload(body, name, file.media.media_type)
        # The upload is useful even if it cannot be remembered.
        with suppress(JournalError):
            self._cache.keep(file.sha256, asset.url)
        return asset

    def _download(self, image: RemoteFile) -> LocalFile:
        try:
            with self._download_client.open(image.url) as body:
                return self._resolver.keep(displayed_url(image.url), body.chunks)
        except (DownloadError, ServiceError) as exc:
            address = displayed_url(image.url)
            reason = exc.message.removeprefix(f"{address} was not downloaded: ")
            raise InputError(
                f"Krea rejected {address}. Downloading it here failed, too: {reason}",
                hint="Save the image to a file, then use -i FILE.",
            ) from exc


def _in_parallel(
    files: Sequence[LocalFile],
    send: Callable[[LocalFile, _Counts], T],
    report: Report,
) -> Iterator[tuple[LocalFile, T]]:
    """
    Yield each file with the result of `send` for it, in order. Raise the first error
    after all others have finished.
    """
    counts = _Counts(files, report)
    errors = list[KreaError]()

    def attempt(file: LocalFile) -> T | None:
        if errors:
            return None
        try:
            sent = send(file, counts)
        except KreaError as exc:
            errors.append(exc)
            return None
        counts.done(file)
        return sent

    works = [partial(attempt, file) for file in files]
    threads = min(MAX_AT_ONCE, len(files))
    with (
        WorkerPool(threads) if threads > 1 else nullcontext() as pool,
        results_in_order(works, pool, ahead=len(files), helps=False) as results,
    ):
        for file, sent in zip(files, results, strict=True):
            if sent is not None:
                yield file, sent
    if errors:
        raise errors[0]
