"""
Where jobs are while they are waited for, in words: for a log, or for nobody.

What turns on a terminal is drawn by `spinner`.
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
    Told all of it, it tells nobody; a context manager.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def awaited(self, count: int) -> None:
        """
        So many jobs there are, or will be.
        """

    def unsent(self, count: int) -> None:
        """
        So many of them are still to be sent.
        """

    def seen(self, job: Job) -> None:
        """
        A job was looked at.
        """

    def missed(self, job: Job, error: KreaError) -> None:
        """
        A job could not be seen, and is looked at again; *job* is as it was before.
        """

    def usually(self, seconds: float | None) -> None:
        """
        So long jobs like these take, if that is known.
        """

    def doing(self, text: str) -> None:
        """
        Something else is under way: an upload, a download.
        """

    def received(self, job: Job, size_bytes: int, length: int | None) -> None:
        """
        So much of a result of the job is here, of *length* bytes if that is known; from
        any thread.
        """

    def saved(self, job: Job) -> None:
        """
        No more is received of the job; from any thread.
        """


class LineProgress(Progress):
    """
    A line at each change, and one every 30 s, so that no log falls silent (hazard L12).
    Of more than ten jobs each line says how many have which status, and the changes
    that count are those to a bad end, with the id.
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
            self._tell(_status(job), is_news=is_news)
        elif is_news and job.status in _BAD_ENDS:
            self._tell(f"{_status(job)}; {self._board.summary}", is_news=True)
        else:
            self._tell(self._board.summary, is_news=False)

    def missed(self, job: Job, error: KreaError) -> None:
        words = self._board.summary if self._are_many else _status(job)
        reason = collapse_whitespace(error.message, 200).rstrip(".")
        self._tell(f"{words}, but: {reason}", is_news=False)

    def received(self, job: Job, size_bytes: int, length: int | None) -> None:
        total = f" of {length / 1e6:.1f}" if length else ""
        words = f"{_status(job)}, {size_bytes / 1e6:.1f}{total} MB received"
        self._tell(words, is_news=False)

    def _tell(self, words: str, *, is_news: bool) -> None:
        with self._lock:
            now = self._now()
            if is_news or now - self._said_at >= HEARTBEAT_SECONDS:
                self._said_at = now
                self._say(f"{words} ({now - self._start:.0f} s)")


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
        Whether this is news.
        """
        before = self._statuses.get(job.job_id)
        self._statuses[job.job_id] = job.status
        return before != job.status

    @property
    def summary(self) -> str:
        """
        The status of one job, or how many jobs have which.
        """
        counts = Counter(self._statuses.values())
        if len(self._statuses) == 1 and not self.unsent:
            return collapse_whitespace(next(iter(counts)), 40)
        told = [f"{n} {collapse_whitespace(s, 40)}" for s, n in counts.most_common()]
        return ", ".join(told + [f"{self.unsent} to be sent"] * bool(self.unsent))

    @property
    def meaning(self) -> str:
        """
        What their status means, if they all have the same; empty if not.
        """
        statuses = set(self._statuses.values())
        return meaning(statuses.pop()) if len(statuses) == 1 else ""
