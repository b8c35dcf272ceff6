"""
Drawing on a terminal: results, lines with a coloured label, a spinner, bars.

One of the homes of rich.  Nothing is markup: what is said is printed as it is (hazard
T2).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from krea_cli.api.resources import Job
from krea_cli.errors import KreaError
from krea_cli.output.progress import Board
from krea_cli.output.results import Result
from krea_cli.output.streams import Stream
from krea_cli.output.terminal import one_line, unbroken
from krea_cli.output.views import view

_DRAWN_A_SECOND = 10
# What of a job's id tells it from the others.
_ID_LETTERS = 8


class Screen:
    """
    A *stream* that is drawn on.  *colour* None leaves it to what the terminal can.
    """

    def __init__(self, stream: Stream, *, colour: bool | None) -> None:
        self._console = Console(
            file=stream,  # type: ignore[arg-type]  # rich asks no more of a file
            force_terminal=colour or None,
            # The colours of views are those of the oldest terminals.
            color_system={None: "auto", True: "standard", False: None}[colour],
            no_color=False if colour else None,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def draw(self, results: Sequence[Result]) -> None:
        """
        The results, which are of one kind, by the view of their kind.
        """
        for part in view(results[0], results):
            # Lines are left whole, so that paths and commands in them can be copied.
            is_line = isinstance(part, Text)
            self._console.print(part, soft_wrap=is_line, crop=False)

    def say(self, label: str, text: str, style: str) -> None:
        """
        A line with its *label*, or all of it, in *style*.
        """
        words = (unbroken(text), "" if label else style)
        self._console.print(Text.assemble((label, style), words), soft_wrap=True)

    def spinner(self) -> Spinner:
        return Spinner(self._console)


class Spinner:
    """
    A spinner with the status of the jobs, the time since it began and the usual one,
    and below it a bar for each result that is on its way: size, speed, time left.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn("dots" if console.encoding.startswith("utf") else "line"),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[usual]}", markup=False),
            console=console,
        )
        self._bars = Bars(console)
        self._live = Live(
            Group(self._progress, self._bars.progress),
            console=console,
            refresh_per_second=_DRAWN_A_SECOND,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, usual="")
        self._board = Board()

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def seen(self, job: Job) -> None:
        self._board.update(job)
        self.doing(self._board.summary)

    def missed(self, job: Job, error: KreaError) -> None:
        self._board.update(job)
        self.doing(f"{self._board.summary}, but: {one_line(error.message, 100)}")

    def usually(self, seconds: float | None) -> None:
        usual = (
            "" if seconds is None else f"usually {timedelta(seconds=round(seconds))}"
        )
        self._progress.update(self._task, usual=usual)

    def doing(self, text: str) -> None:
        self._progress.update(self._task, description=one_line(text))

    def received(self, job: Job, size_bytes: int, length: int | None) -> None:
        self._bars.received(job, size_bytes, length)

    def saved(self, job: Job) -> None:
        self._bars.saved(job)


class Bars:
    """
    A bar for each job that something is received of; may be told by several threads.
    """

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            expand=True,
        )
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}

    def received(self, job: Job, size_bytes: int, length: int | None) -> None:
        with self._lock:
            if job.job_id not in self._tasks:
                name = one_line(job.job_id)[:_ID_LETTERS]
                self._tasks[job.job_id] = self.progress.add_task(name, total=None)
            task = self._tasks[job.job_id]
            self.progress.update(task, completed=size_bytes, total=length)

    def saved(self, job: Job) -> None:
        with self._lock:
            if job.job_id in self._tasks:
                self.progress.remove_task(self._tasks.pop(job.job_id))
