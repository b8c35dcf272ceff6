"""
Results of completed jobs, from their URLs to files.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

from krea_cli.api.fetch import Fetcher
from krea_cli.api.resources import Job, SavedFile
from krea_cli.api.retry import retry
from krea_cli.clock import Clock, within
from krea_cli.errors import (
    DownloadError,
    LostAnswerError,
    ServerFaultError,
    ServiceError,
    StorageError,
    UnreachableError,
)
from krea_cli.jobs import pictures
from krea_cli.jobs.containers import is_complete
from krea_cli.jobs.files import NewFile, unwritable
from krea_cli.jobs.targets import Naming, Target
from krea_cli.media import PNG, RESULTS, Media, of_extension, sniff

MOST_BYTES = 2 * 2**30
CONVERT_SECONDS = 120.0
_PASSING = (UnreachableError, LostAnswerError, ServerFaultError)


class Results:
    """
    Saves what jobs gave, by one target.  *send* writes a file to standard output.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        clock: Clock,
        target: Target,
        *,
        force: bool,
        send: Callable[[IO[bytes]], None],
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._target = target
        self._force = force
        self._send = send

    def save(self, job: Job, naming: Naming, *, first: int, several: bool) -> Job:
        """
        The job with the files that its results became.  *first* is the index of its
        first result; *several* says that there are results beside this job's.

        Raises:
            StorageError: a result is not on disk; those saved before it stay.
        """
        if self._target.template is None and len(job.urls) > 1:
            raise StorageError(
                f"Job {job.job_id} has {len(job.urls)} results, and standard output "
                "takes one.",
                hint="Save them to files.",
                job_id=job.job_id,
            )
        several = several or len(job.urls) > 1
        files = [
            self._save(url, partial(self._path, naming, job.job_id, index, several))
            for index, url in enumerate(job.urls, start=first)
        ]
        return replace(job, files=tuple(files))

    def _path(
        self, naming: Naming, job_id: str, index: int, several: bool, media: Media
    ) -> Path:
        extension = media.extension
        values = naming.values(job_id=job_id, index=index, extension=extension)
        return self._target.path(values, several=several)

    def _save(self, url: str, path: Callable[[Media], Path]) -> SavedFile:
        """
        One result, to standard output or under the name that *path* has for its kind.
        """
        to_stdout = self._target.template is None
        folder = Path(tempfile.gettempdir()) if to_stdout else _nearest(path(PNG))
        with NewFile(folder) as new:
            media = self._receive(url, new)
            if to_stdout:
                self._send(new.file)
                return _described(new, media, Path("-"), url)
            return self._place(new, media, path(media), url)

    def _place(self, new: NewFile, media: Media, target: Path, url: str) -> SavedFile:
        """
        Publish the result; a picture of another kind than its name says is converted.
        """
        if self._target.makes_folders:
            _make(target.parent)
        wanted = of_extension(target.suffix)
        if wanted in (None, media):
            file = _described(new, media, target, url)
            new.publish(target, force=self._force)
            return file
        if media.kind != "image" or not pictures.can_write(wanted):
            raise StorageError(
                f"The result is {media.extension.upper()}, which cannot become "
                f"{target.name}.",
                hint=f"Name it *.{media.extension}, or leave out -o.",
            )
        with NewFile(target.parent) as converted:
            self._convert(new, converted, wanted)
            file = _described(converted, wanted, target, url)
            converted.publish(target, force=self._force)
        return file

    def _convert(self, new: NewFile, converted: NewFile, wanted: Media) -> None:
        """
        In a thread that may be left behind: no encoder can be interrupted (hazard S1).
        """
        try:
            within(
                CONVERT_SECONDS,
                lambda: pictures.convert(new.path, converted.file, wanted),
            )
        except TimeoutError as exc:
            raise DownloadError(
                f"The picture cannot be made {wanted.extension.upper()} in time.",
                hint="Save it as it came: leave the ending to krea.",
            ) from exc

    def _receive(self, url: str, new: NewFile) -> Media:
        """
        The bytes of *url* in *new*, whole; what kind of file they are.

        Raises:
            DownloadError: they cannot be had, or are no result.
        """

        def attempt() -> Media:
            new.file.seek(0)
            new.file.truncate()
            with self._fetcher.open(url) as (chunks, _):
                return _write(chunks, new)

        try:
            return retry(
                attempt, clock=self._clock, deadline=math.inf, passing=_PASSING
            )
        except ServiceError as exc:
            raise DownloadError(exc.message, hint=exc.hint) from exc


def _write(chunks: Iterator[bytes], new: NewFile) -> Media:
    """
    Raises:
        LostAnswerError: the file ended too early.
        DownloadError: it is of no kind that a job gives, or endless.
    """
    head, size = b"", 0
    try:
        for chunk in chunks:
            if len(head) < 32:
                head += chunk[:32]
            size += len(chunk)
            if size > MOST_BYTES:
                raise DownloadError("The result has more than 2 GiB; it is not saved.")
            new.file.write(chunk)
        new.file.flush()
    except OSError as exc:
        raise unwritable(new.path.parent, exc) from exc
    media = sniff(head)
    if media not in RESULTS:
        raise DownloadError(f"The result is {_kind(head)}; it is not saved.")
    if not is_complete(new.file, media):
        raise LostAnswerError("The result ended too early.")
    return media


def _kind(head: bytes) -> str:
    if not head:
        return "empty"
    if head.lstrip().startswith(b"<"):
        return "a page of HTML or XML, no picture"
    return "of a kind that is not known"


def _described(new: NewFile, media: Media, path: Path, url: str) -> SavedFile:
    new.file.seek(0)
    digest = hashlib.file_digest(new.file, "sha256").hexdigest()
    size = pictures.size(new.path) if media.kind == "image" else None
    return SavedFile(
        path=str(path),
        url=url,
        media_type=media.media_type,
        size_bytes=new.file.seek(0, os.SEEK_END),
        sha256=digest,
        width=size[0] if size else None,
        height=size[1] if size else None,
    )


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
