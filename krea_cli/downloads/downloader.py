"""
Save the results of completed jobs as files.
"""

from __future__ import annotations

import math
import threading
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import IO, NamedTuple

from krea_cli.api.models import MAX_RESULTS, Job, SavedFile
from krea_cli.api.retry import retry
from krea_cli.downloads.download_client import DownloadClient, UrlExpiredError
from krea_cli.downloads.output_options import MAX_BYTES
from krea_cli.downloads.output_target import FilenameFields, OutputTarget
from krea_cli.downloads.parallel import MAX_AT_ONCE, AdaptiveLimit
from krea_cli.downloads.partial_download import DownloadedFile, PartialDownload
from krea_cli.downloads.publish import Publisher, described
from krea_cli.downloads.result_urls import ResultUrls
from krea_cli.errors import (
    ConnectionFailedError,
    ConversionError,
    DownloadError,
    ResponseLostError,
    ServerError,
    ServiceError,
    TargetError,
)
from krea_cli.files.atomic_file import AtomicFile, has_content, write_error
from krea_cli.files.temporary import TemporaryFolder
from krea_cli.media import PNG, MediaType, of_type
from krea_cli.runtime.clock import Clock
from krea_cli.runtime.parallel import results_in_order
from krea_cli.runtime.worker_pool import WorkerPool

_TEMPORARY_ERRORS = (ConnectionFailedError, ResponseLostError, ServerError)


class _Fetched(NamedTuple):
    """
    A whole result in a temporary file.
    """

    new: AtomicFile
    result: DownloadedFile


class ResultDownloader:
    """
    Save the results of jobs to one target, published by *placing*. *look* fetches the
    current state of a job; *send* writes a file to standard output; *max_bytes* is the
    largest size of one result, 2 GiB by default.

    Several threads may save at once: no two results get the same name.
    """

    def __init__(
        self,
        fetcher: DownloadClient,
        clock: Clock,
        target: OutputTarget,
        *,
        look: Callable[[str], Job],
        send: Callable[[IO[bytes]], None],
        placing: Publisher,
        max_bytes: int | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._target = target
        self._look = look
        self._send = send
        self._placing = placing
        self._max_bytes = max_bytes or MAX_BYTES
        self._names: set[str] = set()
        self._naming = threading.Lock()
        self._limit = AdaptiveLimit(MAX_AT_ONCE)

    def save(
        self,
        job: Job,
        naming: FilenameFields,
        *,
        first: int,
        several: bool,
        received: Callable[[int, int | None], object] = lambda _size, _length: None,
        pool: WorkerPool | None = None,
    ) -> Iterator[Job]:
        """
        Save the results of a job, MAX_RESULTS at most.  Yield the job with the files
        saved so far after each of them.

        *first* is the index of the first result; *several* says that there are results
        beside this job's; `received` is called with the bytes of a result that are
        here, and its length.  Threads of *pool* fetch results ahead; the files get
        their names in order, so that the files of a job are always its first ones.

        A result that an earlier run saved, by the files of *job*, and that is still
        there unchanged, is not fetched again.

        Raises:
            ConversionError: the last of the files could not be converted.
            StorageError: a result could not be saved.
        """
        self._check(job)
        several = several or len(job.urls) > 1
        urls = ResultUrls(job, self._look, self._clock)
        if self._target.template is None:
            if job.urls:
                file = self._save_to_stdout(urls, received)
                yield replace(job, urls=urls.all, files=(file,))
            return
        paths = [
            cache(partial(self._path, naming, job.job_id, first + at, several))
            for at in range(min(len(job.urls), MAX_RESULTS))
        ]
        works = (
            partial(self._fetch, job, urls, at, path, received)
            for at, path in enumerate(paths)
        )
        files = list[SavedFile]()
        with results_in_order(
            works, pool, ahead=2 * MAX_AT_ONCE, discard=_discard
        ) as results:
            for at, fetched in enumerate(results):
                try:
                    files.append(self._place(fetched, paths[at], urls.all[at]))
                except ConversionError as exc:
                    yield replace(job, urls=urls.all, files=(*files, exc.kept))
                    raise
                yield replace(job, urls=urls.all, files=tuple(files))

    def _check(self, job: Job) -> None:
        if self._target.template is None and len(job.urls) > 1:
            raise TargetError(
                f"-o - works for one result only, and job {job.job_id} has "
                f"{len(job.urls)}.",
                hint="Save to a folder: -o results/",
                job_id=job.job_id,
            )

    def _path(
        self,
        naming: FilenameFields,
        job_id: str,
        index: int,
        several: bool,
        media: MediaType,
    ) -> Path:
        extension = media.extension
        values = naming.values(job_id=job_id, index=index, extension=extension)
        return self._target.path(values, several=several)

    def _known(
        self, job: Job, at: int, path: Callable[[MediaType], Path]
    ) -> SavedFile | None:
        """
        Return the file of an earlier run if it is where this run would save it or, if
        no output was given, where that run saved it.
        """
        known = job.files[at] if at < len(job.files) else None
        media = of_type(known.media_type) if known else None
        if not (known and media) or self._target.template is None:
            return None
        # A picture may have been converted with another quality.
        if self._placing.force or (known.converted_from and self._placing.quality):
            return None
        candidates = [path(media)]
        if self._target.is_default:
            candidates.append(Path(known.path))
        for found in candidates:
            if has_content(found, size=known.size_bytes, sha256=known.sha256):
                return replace(known, path=str(found), url=job.urls[at])
        return None

    def _fetch(
        self,
        job: Job,
        urls: ResultUrls,
        at: int,
        path: Callable[[MediaType], Path],
        received: Callable[[int, int | None], object],
    ) -> SavedFile | _Fetched:
        """
        Return the file of an earlier run, or fetch the result into a temporary file.
        """
        if known := self._known(job, at, path):
            return known
        new = AtomicFile(_nearest(path(PNG)))
        try:
            return _Fetched(new, self._receive(urls, at, new, received))
        except BaseException:
            new.close()
            raise

    def _place(
        self,
        fetched: SavedFile | _Fetched,
        path: Callable[[MediaType], Path],
        url: str,
    ) -> SavedFile:
        """
        Publish a result under the name that *path* returns for its type.
        """
        if isinstance(fetched, SavedFile):
            self._take(Path(fetched.path))
            return fetched
        with fetched.new as new:
            target = path(fetched.result.media)
            self._take(target)
            if self._target.makes_folders:
                _make(target.parent)
            return self._placing.place(new, fetched.result, target, url=url)

    def _save_to_stdout(
        self, urls: ResultUrls, received: Callable[[int, int | None], object]
    ) -> SavedFile:
        with TemporaryFolder() as folder, AtomicFile(folder.path, mode=0o600) as new:
            result = self._receive(urls, 0, new, received)
            file = described(new, result, Path("-"), url=urls.all[0])
            self._send(new.file)
            return file

    def _take(self, path: Path) -> None:
        """
        Raises:
            StorageError: another result of this run has the name, or one that is the
                same where upper case does not count.
        """
        name = unicodedata.normalize("NFC", str(path.absolute())).casefold()
        with self._naming:
            if name in self._names:
                raise TargetError(
                    f"Two results would get the same name: {path}",
                    hint="Add {index} or {job_id} to the name in -o.",
                )
            self._names.add(name)

    def _receive(
        self,
        urls: ResultUrls,
        at: int,
        new: AtomicFile,
        received: Callable[[int, int | None], object],
    ) -> DownloadedFile:
        """
        Download the result at this place into *new*, in at most four attempts.

        Raises:
            DownloadError: it cannot be had, or is no result.
        """
        download = PartialDownload(
            self._fetcher, new, max_bytes=self._max_bytes, received=received
        )

        def attempt() -> DownloadedFile:
            while True:
                try:
                    with self._limit.slot():
                        return download.attempt(urls.all[at])
                except UrlExpiredError as gone:
                    urls.renew(at, gone)

        try:
            return retry(
                attempt,
                clock=self._clock,
                deadline=math.inf,
                temporary_errors=_TEMPORARY_ERRORS,
            )
        except ServiceError as exc:
            raise DownloadError(
                exc.message,
                hint=exc.advice,
            ) from exc


def _discard(fetched: SavedFile | _Fetched) -> None:
    if isinstance(fetched, _Fetched):
        fetched.new.close()


def _nearest(path: Path) -> Path:
    """
    The folder of *path*, or the one in which it will be made.
    """
    folder = path.parent
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
    except OSError as exc:
        raise write_error(path, exc) from exc
    return folder


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise write_error(folder, exc) from exc
