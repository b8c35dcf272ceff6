"""
Report the progress of jobs as log lines, or not at all.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from krea_cli.output.escape import collapse_whitespace, single_line
from krea_cli.output.human.format_text import dollars, meaning

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.errors import KreaError

HEARTBEAT_SECONDS = 30.0
# With more jobs than this, do not write a line for each change.
MAX_JOB_LINES = 10
_BAD_ENDS = ("failed", "cancelled")
_WAITING = ("backlogged", "queued", "scheduled")
# Fewer jobs do not show how long the others will take.
MIN_DONE = 3


class Progress:
    """
    Receives all events and shows nothing. A context manager.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def counts(self, counts: StatusCounts, *, in_sum: bool = False) -> None:
        """
        Set the counts to show and keep up to date.

        With `in_sum`, a log does not get a line for each change of a job, even if there
        are only a few jobs.
        """

    def seen(self, job: Job) -> None:
        """
        Report the current state of a job.
        """

    def missed(self, job: Job, error: KreaError) -> None:
        """
        Report that polling a job failed, and will be repeated. `job` is its last known
        state.
        """

    def usually(self, seconds: float | None) -> None:
        """
        Set how long such jobs usually take, or None if that is unknown.
        """

    def doing(self, text: str) -> None:
        """
        Report other work, such as an upload or a download.
        """

    def uploading(
        self, done: int, files: int, sent_bytes: int, size_bytes: int
    ) -> None:
        """
        Set how many files, and how many of their bytes, are uploaded. May be called
        from any thread.
        """

    def received(self, job: Job, size_bytes: int, length: int | None) -> None:
        """
        Report the received bytes of a result of `length` bytes (None if unknown). May
        be called from any thread.
        """

    def saved(self, job: Job) -> None:
        """
        Report that the downloads of a job have ended, and its files, if any, are saved.

        May be called from any thread.
        """


class LineProgress(Progress):
    """
    Writes a line at each change, and at least one every 30 s.
    """

    def __init__(self, say: Callable[[str], None], now: Callable[[], float]) -> None:
        self._say = say
        self._now = now
        self._start = self._said_at = now()
        self._board = StatusCounts()
        self._are_many = False
        # Downloads are reported by the threads that receive them.
        self._lock = threading.Lock()

    def counts(self, counts: StatusCounts, *, in_sum: bool = False) -> None:
        self._board = counts
        if counts.began is not None:
            self._start = counts.began
        self._are_many = in_sum or counts.total > MAX_JOB_LINES

    def seen(self, job: Job) -> None:
        is_news = self._board.update(job)
        if not self._are_many:
            self._write_line(_status(job), is_news=is_news)
        elif is_news and job.status in _BAD_ENDS:
            self._write_line(f"{_status(job)}; {self._of_all}", is_news=True)
        else:
            self._write_line(self._of_all, is_news=False)

    def saved(self, job: Job) -> None:
        if job.files:
            self._board.saved(job)
        if self._are_many:
            for file in job.files:
                words = f"saved {single_line(file.path)}; {self._of_all}"
                self._write_line(words, is_news=True)

    @property
    def _of_all(self) -> str:
        return "  ".join(filter(None, [self._board.summary, self._board.money]))

    def missed(self, job: Job, error: KreaError) -> None:
        words = self._of_all if self._are_many else _status(job)
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
    Format the progress of uploads.
    """
    parts = [f"{done} of {files} files"] * (files > 1)
    size = f"{sent_bytes / 1e6:.1f} of {size_bytes / 1e6:.1f} MB"
    return " ".join(["uploading", ", ".join([*parts, size])])


def _status(job: Job) -> str:
    return f"{collapse_whitespace(job.job_id)} {collapse_whitespace(job.status, 40)}"


class StatusCounts:
    """
    The statuses of `total` jobs, how many of them are saved, and their cost.

    A run has a single instance, which may be used from any thread. With `saves`, a job
    is done when its results are saved. Times are shown since `began` (monotonic), which
    is when the progress is first shown if it is None.
    """

    def __init__(
        self, total: int = 0, *, saves: bool = False, began: float | None = None
    ) -> None:
        self.began = began
        self._total = total
        self._saves = saves
        self._statuses: dict[str, str] = {}
        self._costs: dict[str, float] = {}
        self._saved: set[str] = set()

    @property
    def total(self) -> int:
        return self._total

    @property
    def are_many(self) -> bool:
        return self._total > 1

    def expect(self, total: int) -> None:
        """
        Set the expected number of jobs.
        """
        self._total = total

    def update(self, job: Job) -> bool:
        """
        Store the job's status. Return True if it has changed.
        """
        before = self._statuses.get(job.job_id)
        self._statuses[job.job_id] = job.status
        if job.cost_usd is not None:
            self._costs[job.job_id] = job.cost_usd
        return before != job.status

    def saved(self, job: Job) -> None:
        """
        Count a job as saved.
        """
        self._statuses[job.job_id] = "completed"
        self._saved.add(job.job_id)

    @property
    def summary(self) -> str:
        """
        Return the status of a single job, or counts that add up to the number of jobs.
        """
        statuses = list(self._statuses.values())
        if not self.are_many:
            return collapse_whitespace(statuses[-1], 40) if statuses else ""
        # Another thread may add a job at any time.
        counts, total = Counter(statuses), max(self._total, len(statuses))
        done = self.done
        waiting = total - len(statuses) + sum(counts[each] for each in _WAITING)
        ends = {each: counts[each] for each in _BAD_ENDS}
        saving = counts["completed"] - done
        running = total - waiting - saving - done - sum(ends.values())
        word = "saved" if self._saves else "completed"
        parts = [f"{done}/{total} {word}"]
        named = {"running": running, "waiting": waiting, "saving": saving, **ends}
        parts += [f"{count} {name}" for name, count in named.items() if count]
        return " \N{MIDDLE DOT} ".join(parts)

    @property
    def done(self) -> int:
        """
        Return how many jobs are done.
        """
        if self._saves:
            return len(self._saved)
        return list(self._statuses.values()).count("completed")

    @property
    def money(self) -> str:
        """
        Return the cost so far if there are many jobs, without failed ones.

        Return "" if no price is known.
        """
        prices = [
            price
            for job_id, price in list(self._costs.items())
            if self._statuses.get(job_id) not in _BAD_ENDS
        ]
        return dollars(sum(prices)) if prices and self.are_many else ""

    def seconds_left(self, elapsed: float) -> float | None:
        """
        Estimate the remaining seconds for many jobs from the number of jobs done.

        Return None while too few are done.
        """
        if not self.are_many or self.done < MIN_DONE:
            return None
        ended = sum(status in _BAD_ENDS for status in list(self._statuses.values()))
        return elapsed / self.done * max(0, self._total - self.done - ended)

    @property
    def meaning(self) -> str:
        """
        Explain the status of a single job. Return "" if there are many.
        """
        statuses = set(self._statuses.values())
        return meaning(statuses.pop()) if len(statuses) == 1 else ""
