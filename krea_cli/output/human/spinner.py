"""
Show a spinner while jobs run, and bars while results are downloaded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as BarsOfRich
from rich.spinner import Spinner as Frames
from rich.text import Text

from krea_cli.api.models import Job
from krea_cli.errors import KreaError
from krea_cli.output.escape import collapse_whitespace
from krea_cli.output.human.format_text import duration
from krea_cli.output.human.layout import InAscii
from krea_cli.output.progress import Progress, StatusCounts, upload_counts

_DRAWN_A_SECOND = 10
# Enough of a job id to tell jobs apart.
_ID_LETTERS = 8
# Narrower terminals have no room for speed and time left.
_WIDE = 60
_MINUTE = 60


class Spinner(Progress):
    """
    A spinner with job status and times, and a bar for each download.

    It shows the time since the start (by `now`), the usual duration, and what the
    status means. Bars show size, speed and time left. `note` writes a line above the
    spinner.
    """

    def __init__(
        self,
        console: Console,
        now: Callable[[], float],
        note: Callable[[str], object],
    ) -> None:
        self._line = _Line(now)
        self._note = note
        self._bars = Bars(console)
        self._live = Live(
            Group(self._line, self._bars.progress),
            console=console,
            refresh_per_second=_DRAWN_A_SECOND,
            transient=True,
        )
        self._board = StatusCounts()

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def seen(self, job: Job) -> None:
        self._board.update(job)
        self._show(self._board.meaning)

    def missed(self, job: Job, error: KreaError) -> None:
        self._board.update(job)
        reason = collapse_whitespace(error.message, 100)
        self._show(f"but: {reason}")

    def counts(self, counts: StatusCounts, *, in_sum: bool = False) -> None:  # noqa: ARG002
        self._board = counts
        self._line.count(counts)

    def _show(self, more: str) -> None:
        self._line.show(self._board.summary, "" if self._board.are_many else more)

    def delayed(self, text: str) -> None:
        """
        Report why requests have to wait. May be called from any thread.
        """
        self._line.add(collapse_whitespace(text))

    def usually(self, seconds: float | None) -> None:
        self._line.usual = seconds

    def doing(self, text: str) -> None:
        self._line.show(collapse_whitespace(text), "")

    def uploading(
        self, done: int, files: int, sent_bytes: int, size_bytes: int
    ) -> None:
        self._line.show(upload_counts(done, files, sent_bytes, size_bytes), "")

    def received(self, job: Job, size_bytes: int, length: int | None) -> None:
        self._bars.received(job, size_bytes, length)

    def saved(self, job: Job) -> None:
        self._bars.saved(job)
        if not job.files:
            return
        self._board.saved(job)
        if self._board.are_many:
            self._show("")
            for file in job.files:
                self._note(f"saved {file.path}")


class _Line:
    """
    A line that is shortened at its end if space is short. The most important part comes
    first.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.usual: float | None = None
        self._now = now
        self._began = now()
        self._shown = ("", "")
        self._counts: StatusCounts | None = None
        self._frames: Frames | None = None

    def show(self, what: str, more: str) -> None:
        self._shown = (what, more)

    def count(self, counts: StatusCounts) -> None:
        """
        Show the time since their start and, for many jobs, the cost and the time
        left.
        """
        if counts.began is not None:
            self._began = counts.began
        self._counts = counts if counts.are_many else None

    def add(self, more: str) -> None:
        self._shown = (self._shown[0], more)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        if self._frames is None:
            name = "line" if options.ascii_only else "dots"
            self._frames = Frames(name, style="green")
        what, more = self._shown
        times = self._times(self._now() - self._began)
        frame = self._frames.render(console.get_time())
        line = Text.assemble(str(frame), " ", (what, "bold"), times, no_wrap=True)
        line.stylize("green", 0, 1)
        line.append(f"  {more}" if more else "", "dim")
        line.truncate(options.max_width, overflow="ellipsis")
        yield InAscii(line) if options.ascii_only else line

    def _times(self, elapsed: float) -> str:
        """
        Format the elapsed time, and the usual time until that has passed.

        For many jobs, add the cost before it and the time left after it.
        """
        times = f"  {duration(elapsed)}"
        if self._counts is None:
            if self.usual is not None and elapsed < self.usual:
                times += f" (usually about {duration(self.usual)})"
            return times
        left = self._counts.seconds_left(elapsed)
        if left:
            times += f", about {_estimate(left)} left"
        money = self._counts.money
        return f"  {money}{times}" if money else times


def _estimate(seconds: float) -> str:
    """
    Format an estimate, rounded according to its size.
    """
    step = 5 if seconds < _MINUTE else _MINUTE
    return duration(max(step, round(seconds / step) * step)).removesuffix(" 0 s")


class Bars:
    """
    A bar for each job with a running download. May be used from any thread.
    """

    def __init__(self, console: Console) -> None:
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}", markup=False),
            BarColumn(
                bar_width=None,
                style="dim",
                complete_style="green",
                finished_style="green",
                pulse_style="green",
            ),
            DownloadColumn(),
        ]
        if console.width >= _WIDE:
            columns += [TransferSpeedColumn(), TimeRemainingColumn()]
        self.progress = BarsOfRich(*columns, console=console, expand=True)
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}

    def received(self, job: Job, size_bytes: int, length: int | None) -> None:
        with self._lock:
            if job.job_id not in self._tasks:
                name = collapse_whitespace(job.job_id)[:_ID_LETTERS]
                self._tasks[job.job_id] = self.progress.add_task(name, total=None)
            task = self._tasks[job.job_id]
            self.progress.update(task, completed=size_bytes, total=length)

    def saved(self, job: Job) -> None:
        with self._lock:
            if job.job_id in self._tasks:
                self.progress.remove_task(self._tasks.pop(job.job_id))
