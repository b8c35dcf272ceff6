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
from krea_cli.downloads.publish import Publisher, saved_file
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
    A complete result in a temporary file.
    """

    new: AtomicFile
    result: DownloadedFile


class ResultDownloader:
    """
    Save the results of jobs to one target. `publisher` gives the files their names,
    `fetch_job` returns the current state of a job, and `send` writes a file to standard
    output. `max_bytes` limits the size of each result, by default to 2 GiB.

    Several threads may save at once. No two results get the same name.
    """

    def __init__(
        self,
        client: DownloadClient,
        clock: Clock,
        target: OutputTarget,
        *,
        fetch_job: Callable[[str], Job],
        send: Callable[[IO[bytes]], None],
        publisher: Publisher,
        max_bytes: int | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._target = target
        self._fetch_job = fetch_job
        self._send = send
        self._publisher = publisher
        self._max_bytes = max_bytes or MAX_BYTES
        self._names: set[str] = set()
        self._names_lock = threading.Lock()
        self._limit = AdaptiveLimit(MAX_AT_ONCE)

    def save(
        self,
        job: Job,
        naming: FilenameFields,
        *,
        first: int,
        several: bool,
        on_progress: Callable[[int, int | None], object] = lambda _size, _length: None,
        pool: WorkerPool | None = None,
    ) -> Iterator[Job]:
        """
        Save the results of a job, at most MAX_RESULTS.  After each file, yield the job
        with the files saved so far.

        `first` is the index of the first result.  `several` is True if other jobs have
        results, too, so that names need an index.  `on_progress` is called with the
        number of bytes received and the length of the result, or None if unknown.
        Threads of `pool` download results ahead.  Files get their names in order, so
        after an interruption the saved files are always the first ones.

        Results that an earlier run saved (`job.files`) and that are unchanged on disk
        are not downloaded again.

        Raises:
            ConversionError: the last file could not be converted.
            StorageError: a result could not be saved.
        """
        self._check(job)
        several = several or len(job.urls) > 1
        urls = ResultUrls(job, self._fetch_job, self._clock)
        if self._target.template is None:
            if job.urls:
                file = self._save_to_stdout(urls, on_progress)
                yield replace(job, urls=urls.all, files=(file,))
            return
        paths = [
            cache(partial(self._path, naming, job.job_id, first + at, several))
            for at in range(min(len(job.urls), MAX_RESULTS))
        ]
        works = (
            partial(self._fetch, job, urls, at, path, on_progress)
            for at, path in enumerate(paths)
        )
        files = list[SavedFile]()
        with results_in_order(
            works, pool, ahead=2 * MAX_AT_ONCE, discard=_discard
        ) as results:
            for at, fetched in enumerate(results):
                try:
                    files.append(self._publish(fetched, paths[at], urls.all[at]))
                except ConversionError as exc:
                    yield replace(job, urls=urls.all, files=(*files, exc.kept))
                    raise
                yield replace(job, urls=urls.all, files=tuple(files))

    def _check(self, job: Job) -> None:
        if self._target.template is None and len(job.urls) > 1:
            raise TargetError(
                f"'-o -' works for one result only, and job {job.job_id} has "
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

    def _saved_earlier(
        self, job: Job, at: int, path: Callable[[MediaType], Path]
    ) -> SavedFile | None:
        """
        Return the file of an earlier run if it is where this run would save it. Without
        -o, it may also be where the earlier run saved it.
        """
        earlier = job.files[at] if at < len(job.files) else None
        media = of_type(earlier.media_type) if earlier else None
        if not (earlier and media) or self._target.template is None:
            return None
        # The earlier run may have converted it with another quality.
        if self._publisher.force or (
            earlier.converted_from and self._publisher.quality
        ):
            return None
        candidates = [path(media)]
        if self._target.is_default:
            candidates.append(Path(earlier.path))
        for found in candidates:
            if has_content(found, size=earlier.size_bytes, sha256=earlier.sha256):
                return replace(earlier, path=str(found), url=job.urls[at])
        return None

    def _fetch(
        self,
        job: Job,
        urls: ResultUrls,
        at: int,
        path: Callable[[MediaType], Path],
        on_progress: Callable[[int, int | None], object],
    ) -> SavedFile | _Fetched:
        """
        Return the file of an earlier run, or download the result to a temporary file.
        """
        if earlier := self._saved_earlier(job, at, path):
            return earlier
        new = AtomicFile(_existing_parent(path(PNG)))
        try:
            return _Fetched(new, self._receive(urls, at, new, on_progress))
        except BaseException:
            new.close()
            raise

    def _publish(
        self,
        fetched: SavedFile | _Fetched,
        path: Callable[[MediaType], Path],
        url: str,
    ) -> SavedFile:
        """
        Publish a result under the name that `path` returns for its type.
        """
        if isinstance(fetched, SavedFile):
            self._claim_name(Path(fetched.path))
            return fetched
        with fetched.new as new:
            target = path(fetched.result.media)
            self._claim_name(target)
            if self._target.makes_folders:
                _make_folder(target.parent)
            return self._publisher.place(new, fetched.result, target, url=url)

    def _save_to_stdout(
        self, urls: ResultUrls, on_progress: Callable[[int, int | None], object]
    ) -> SavedFile:
        with TemporaryFolder() as folder, AtomicFile(folder.path, mode=0o600) as new:
            result = self._receive(urls, 0, new, on_progress)
            file = saved_file(new, result, Path("-"), url=urls.all[0])
            self._send(new.file)
            return file

    def _claim_name(self, path: Path) -> None:
        """
        Reserve a name for one result of this run.

        Raises:
            StorageError: another result has the name. Case is ignored, as some file
                systems do.
        """
        name = unicodedata.normalize("NFC", str(path.absolute())).casefold()
        with self._names_lock:
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
        on_progress: Callable[[int, int | None], object],
    ) -> DownloadedFile:
        """
        Download the result at this position into `new`, in at most four attempts.

        Raises:
            DownloadError: it cannot be downloaded, or is not a valid result.
        """
        download = PartialDownload(
            self._client, new, max_bytes=self._max_bytes, on_progress=on_progress
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


def _existing_parent(path: Path) -> Path:
    """
    Return the folder of `path`, or its nearest parent that exists.
    """
    folder = path.parent
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
    except OSError as exc:
        raise write_error(path, exc) from exc
    return folder


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise write_error(folder, exc) from exc
