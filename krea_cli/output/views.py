"""
How results look to a person.  The only module that imports rich.

Text of foreign origin comes in as `Text`, never as markup (hazard T2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import singledispatch
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console, RenderableType
from rich.filesize import decimal
from rich.progress import (
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from krea_cli.api.resources import Job, SavedFile
from krea_cli.output.progress import Board
from krea_cli.output.results import (
    ConfigPath,
    DryRun,
    JobAccepted,
    JobSaved,
    JobStatus,
    JobUrls,
    Result,
    Setting,
    SettingValue,
    TokenStatus,
)
from krea_cli.output.terminal import one_line, safe

STATUS_STYLES = {"completed": "green", "failed": "red", "cancelled": "yellow"}


def console(file: TextIO | None, *, colour: bool | None) -> Console:
    """
    A console that draws as *file* would show it; *colour* None is by its own means.
    """
    return Console(
        file=file,
        force_terminal=colour or None,
        no_color=True if colour is False else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def drawn(
    results: Sequence[Result], file: TextIO | None, *, colour: bool | None
) -> str:
    """
    The results as text, with the control sequences that suit *file*.
    """
    target = console(file, colour=colour)
    picture = view(results[0], results)
    with target.capture() as capture:
        # Lines are left whole, so that paths and commands in them can be copied.
        target.print(picture, soft_wrap=isinstance(picture, Text))
    return capture.get()


def sentence(
    label: str, text: str, style: str, file: TextIO | None, *, colour: bool | None
) -> str:
    """
    A line with its label in colour; not wrapped, so that a command in it can be copied.
    """
    target = console(file, colour=colour)
    words = Text(label, style) + Text(safe(text), "" if label else style)
    with target.capture() as capture:
        target.print(words, soft_wrap=True)
    return capture.get()


@singledispatch
def view(first: Any, results: Sequence[Any]) -> RenderableType:
    """
    What to draw for results of one kind; *first* is the first of them.
    """
    raise NotImplementedError(f"no view for {type(first).__name__}")


@view.register
def _statuses(_: JobStatus, results: Sequence[JobStatus]) -> RenderableType:
    table = _table("JOB", "STATUS", "MODEL", "CREATED")
    for job in (result.job for result in results):
        created = one_line(job.created_at or "", 16).replace("T", " ")
        table.add_row(
            Text(one_line(job.job_id)), _status(job), _model(job), Text(created)
        )
        if job.error:
            table.add_row("", Text(one_line(job.error.message, 200), "red"), "", "")
    return table


@view.register
def _accepted(_: JobAccepted, results: Sequence[JobAccepted]) -> RenderableType:
    return _lines(
        Text.assemble(
            _status(result.job),
            f"  {one_line(result.job.job_id)}  ",
            (f"collect it with: {one_line(result.collect)}", "dim"),
        )
        for result in results
    )


@view.register
def _saved(_: JobSaved, results: Sequence[JobSaved]) -> RenderableType:
    return _lines(
        _file(result.job, file) for result in results for file in result.job.files
    )


@view.register
def _urls(_: JobUrls, results: Sequence[JobUrls]) -> RenderableType:
    return _lines(Text(one_line(url)) for result in results for url in result.plain)


def _lines(lines: Iterable[Text]) -> Text:
    return Text("\n").join(lines)


@view.register
def _settings(_: Setting, results: Sequence[Setting]) -> RenderableType:
    table = _table("SETTING", "VALUE", "FROM")
    for setting in results:
        source = Text(one_line(setting.source), "dim")
        table.add_row(setting.key, Text(one_line(setting.text)), source)
    return table


@view.register
def _value(_: SettingValue, results: Sequence[SettingValue]) -> RenderableType:
    return _lines(Text(one_line(setting.text)) for setting in results)


@view.register
def _config_path(_: ConfigPath, results: Sequence[ConfigPath]) -> RenderableType:
    return _lines(
        Text(one_line(place.path)) + Text("" if place.exists else "  (none yet)", "dim")
        for place in results
    )


@view.register
def _token(_: TokenStatus, results: Sequence[TokenStatus]) -> RenderableType:
    table = _table("TOKEN FROM", "FOR", "KEYRING")
    for token in results:
        table.add_row(
            Text(token.source or "nowhere", "green" if token.source else "red"),
            Text(one_line(token.origin)),
            Text(one_line(token.backend or ""), "dim"),
        )
        for shadowed in token.shadows:
            table.add_row(Text(f"hides {one_line(shadowed)}", "dim"), "", "")
    return table


@view.register
def _dry_run(_: DryRun, results: Sequence[DryRun]) -> RenderableType:
    return _lines(Text(safe(line)) for result in results for line in result.plain)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "JOB")
    return table


def _status(job: Job) -> Text:
    return Text(one_line(job.status, 40), STATUS_STYLES.get(job.status, "blue"))


def _model(job: Job) -> Text:
    return Text(one_line(job.model or ""), "dim")


def _file(job: Job, file: SavedFile) -> Text:
    facts = [file.media_type.partition("/")[2].upper(), decimal(file.size_bytes)]
    if file.width and file.height:
        facts.insert(0, f"{file.width} x {file.height}")
    facts += [one_line(job.model)] if job.model else []
    return Text.assemble(
        ("saved ", "green"),
        (one_line(file.path), "bold"),
        (f"  {', '.join(facts)}", "dim"),
    )


class Spinner:
    """
    A spinner with the status of the jobs and the time since it began.
    """

    def __init__(self, file: TextIO | None, *, colour: bool | None) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=console(file, colour=colour),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None)
        self._board = Board()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def seen(self, job: Job) -> None:
        self._board.update(job)
        self.doing(self._board.summary)

    def doing(self, text: str) -> None:
        self._progress.update(self._task, description=one_line(text))
