"""
Results of completed jobs, from their URLs to files.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

from krea_cli.api.fetch import Fetcher, UrlGoneError
from krea_cli.api.resources import Job, SavedFile
from krea_cli.api.retry import retry
from krea_cli.clock import Clock
from krea_cli.errors import (
    DownloadError,
    LostAnswerError,
    ServerFaultError,
    ServiceError,
    StorageError,
    UnreachableError,
)
from krea_cli.jobs.download import MOST_BYTES, Download, Received
from krea_cli.jobs.files import NewFile, holds, unwritable
from krea_cli.jobs.placing import described, place
from krea_cli.jobs.result_urls import ResultUrls
from krea_cli.jobs.targets import Naming, Target
from krea_cli.media import PNG, Media, of_type

_PASSING = (UnreachableError, LostAnswerError, ServerFaultError)


class Results:
    """
    Saves what jobs gave, by one target.  *look* gives a job as it is now; *send* writes
    a file to standard output; *max_bytes* is what one result may have, 2 GiB if
    it is not said.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        clock: Clock,
        target: Target,
        *,
        look: Callable[[str], Job],
        send: Callable[[IO[bytes]], None],
        force: bool,
        max_bytes: int | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._target = target
        self._look = look
        self._send = send
        self._force = force
        self._max_bytes = max_bytes or MOST_BYTES

    def save(self, job: Job, naming: Naming, *, first: int, several: bool) -> Job:
        """
        The job with the files that its results became.  *first* is the index of its
        first result; *several* says that there are results beside this job's.

        A result that an earlier run saved, by the files of *job*, and that is still
        there as it was, is not fetched again.

        Raises:
            StorageError: a result is not on disk; those saved before it stay.
        """
        self._check(job)
        several = several or len(job.urls) > 1
        urls = ResultUrls(job, self._look, self._clock)
        files = list[SavedFile]()
        for at in range(len(job.urls)):
            path = partial(self._path, naming, job.job_id, first + at, several)
            known = self._known(job, at, path)
            files.append(known or self._save(urls, at, path))
        return replace(job, urls=urls.all, files=tuple(files))

    def _check(self, job: Job) -> None:
        if self._target.template is None and len(job.urls) > 1:
            raise StorageError(
                f"Job {job.job_id} has {len(job.urls)} results, and standard output "
                "takes one.",
                hint="Save them to files.",
                job_id=job.job_id,
            )

    def _path(
        self, naming: Naming, job_id: str, index: int, several: bool, media: Media
    ) -> Path:
        extension = media.extension
        values = naming.values(job_id=job_id, index=index, extension=extension)
        return self._target.path(values, several=several)

    def _known(
        self, job: Job, at: int, path: Callable[[Media], Path]
    ) -> SavedFile | None:
        """
        The file that a result became before, if it is where this run would save it, or,
        where no place was named, where it was saved then.
        """
        known = job.files[at] if at < len(job.files) else None
        media = of_type(known.media_type) if known else None
        if not (known and media) or self._force or self._target.template is None:
            return None
        candidates = [path(media)]
        if self._target.is_default:
            candidates.append(Path(known.path))
        for found in candidates:
            if holds(found, size=known.size_bytes, sha256=known.sha256):
                return replace(known, path=str(found), url=job.urls[at])
        return None

    def _save(
        self, urls: ResultUrls, at: int, path: Callable[[Media], Path]
    ) -> SavedFile:
        """
        One result, to standard output or under the name that *path* has for its kind.
        """
        to_stdout = self._target.template is None
        folder = Path(tempfile.gettempdir()) if to_stdout else _nearest(path(PNG))
        with NewFile(folder) as new:
            received = self._receive(urls, at, new)
            url = urls.all[at]
            if to_stdout:
                file = described(new, received, Path("-"), url=url)
                self._send(new.file)
                return file
            target = path(received.media)
            if self._target.makes_folders:
                _make(target.parent)
            return place(new, received, target, url=url, force=self._force)

    def _receive(self, urls: ResultUrls, at: int, new: NewFile) -> Received:
        """
        The result at this place in *new*, whole, in four attempts at most.

        Raises:
            DownloadError: it cannot be had, or is no result.
        """
        download = Download(self._fetcher, new, max_bytes=self._max_bytes)

        def attempt() -> Received:
            while True:
                try:
                    return download.attempt(urls.all[at])
                except UrlGoneError as gone:
                    urls.renew(at, gone)

        try:
            return retry(
                attempt, clock=self._clock, deadline=math.inf, passing=_PASSING
            )
        except ServiceError as exc:
            raise DownloadError(exc.message, hint=exc.hint) from exc


def _nearest(path: Path) -> Path:
    """
    The folder of *path*, or the one in which it will be made.
    """
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise unwritable(folder, exc) from exc
