"""
Report the progress of jobs as lines of a log, or not at all.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from krea_cli.output.escape import collapse_whitespace
from krea_cli.output.human.format_text import meaning

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.errors import KreaError

HEARTBEAT_SECONDS = 30.0
# Of more jobs than this nobody reads a line for each change.
MOST_TOLD = 10
_BAD_ENDS = ("failed", "cancelled")


class Progress:
    """
    Receives all events, and shows nothing; a context manager.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def awaited(self, count: int) -> None:
        """
        Set how many jobs there are, or will be.
        """

    def unsent(self, count: int) -> None:
        """
        Set how many requests are still to be submitted.
        """

    def seen(self, job: Job) -> None:
        """
        Report a job as it is now.
        """

    def missed(self, job: Job, error: KreaError) -> None:
        """
        Report that a job could not be polled, and will be polled again; *job* is as it
        was before.
        """

    def usually(self, seconds: float | None) -> None:
        """
        Set how long such jobs usually take, if that is known.
        """

    def doing(self, text: str) -> None:
        """
        Report other work: an upload, a download.
        """

    def uploading(
        self, done: int, files: int, sent_bytes: int, size_bytes: int
    ) -> None:
        """
        Set how many of the files are uploaded, and how many of their bytes; from any
        thread.
        """

    def received(self, job: Job, size_bytes: int, length: int | None) -> None:
        """
        Report the bytes received of a result, of *length* bytes if known; from any
        thread.
        """

    def saved(self, job: Job) -> None:
        """
        Report that no more is received of the job; from any thread.
        """


class LineProgress(Progress):
    """
    Writes a line at each change, and one every 30 s, so that no log falls silent.
    """

    def __init__(self, say: Callable[[str], None], now: Callable[[], float]) -> None:
        self._say = say
        self._now = now
        self._start = self._said_at = now()
        self._board = StatusCounts()
        self._are_many = False
        # What is received is told by the threads that receive it.
        self._lock = threading.Lock()

    def awaited(self, count: int) -> None:
        self._are_many = count > MOST_TOLD

    def unsent(self, count: int) -> None:
        self._board.unsent = count

    def seen(self, job: Job) -> None:
        is_news = self._board.update(job)
        if not self._are_many:
            self._write_line(_status(job), is_news=is_news)
        elif is_news and job.status in _BAD_ENDS:
            self._write_line(f"{_status(job)}; {self._board.summary}", is_news=True)
        else:
            self._write_line(self._board.summary, is_news=False)

    def missed(self, job: Job, error: KreaError) -> None:
        words = self._board.summary if self._are_many else _status(job)
        reason = collapse_whitespace(error.message, 200).rstrip(".")
        self._write_line(f"{words}; cannot check: {reason}", is_news=False)

    def uploading(
        self, done: int, files: int, sent_bytes: int, size_bytes: int
    ) -> None:
        words = upload_counts(done, files, sent_bytes, size_bytes)
        self._write_line(words, is_news=False)

    def received(self, job: Job, size_bytes: int, length: int | None) -> None:
        total = f" of {length / 1e6:.1f}" if length else ""
        words = f"{_status(job)}, downloaded {size_bytes / 1e6:.1f}{total} MB"
        self._write_line(words, is_news=False)

    def _write_line(self, words: str, *, is_news: bool) -> None:
        with self._lock:
            now = self._now()
            if is_news or now - self._said_at >= HEARTBEAT_SECONDS:
                self._said_at = now
                self._say(f"{words} ({now - self._start:.0f} s)")


def upload_counts(done: int, files: int, sent_bytes: int, size_bytes: int) -> str:
    """
    Tell how far uploads are.
    """
    parts = [f"{done} of {files} files"] * (files > 1)
    size = f"{sent_bytes / 1e6:.1f} of {size_bytes / 1e6:.1f} MB"
    return " ".join(["uploading", ", ".join([*parts, size])])


def _status(job: Job) -> str:
    return f"{collapse_whitespace(job.job_id)} {collapse_whitespace(job.status, 40)}"


class StatusCounts:
    """
    The last seen status of each job, and how many are still to be sent.
    """

    def __init__(self) -> None:
        self.unsent = 0
        self._statuses: dict[str, str] = {}

    def update(self, job: Job) -> bool:
        """
        Store the job's status, and tell whether it is new.
        """
        before = self._statuses.get(job.job_id)
        self._statuses[job.job_id] = job.status
        return before != job.status

    @property
    def summary(self) -> str:
        """
        Return the status of one job, or the number of jobs with each status.
        """
        counts = Counter(self._statuses.values())
        if len(self._statuses) == 1 and not self.unsent:
            return collapse_whitespace(next(iter(counts)), 40)
        parts = [f"{n} {collapse_whitespace(s, 40)}" for s, n in counts.most_common()]
        return ", ".join(parts + [f"{self.unsent} to be sent"] * bool(self.unsent))

    @property
    def meaning(self) -> str:
        """
        Explain the status that all jobs have; empty if they differ.
        """
        statuses = set(self._statuses.values())
        return meaning(statuses.pop()) if len(statuses) == 1 else ""
