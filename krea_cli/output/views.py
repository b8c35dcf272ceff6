"""
How results look to a person, part by part.  One of the homes of rich.

Text of foreign origin comes in as `Text`, never as markup (hazard T2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import singledispatch
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from krea_cli.api.resources import Job, SavedFile
from krea_cli.output import views_findings, views_jobs, views_models, views_sandbox
from krea_cli.output.model_words import dollars
from krea_cli.output.results import (
    ConfigPath,
    DryRun,
    JobAccepted,
    JobSaved,
    JobStatus,
    JobUrls,
    Setting,
    SettingValue,
    TokenStatus,
    Topic,
    Uploaded,
)
from krea_cli.output.terminal import one_line, safe, unbroken
from krea_cli.output.views_jobs import minute, status

Parts = Iterable[RenderableType]


@singledispatch
def view(first: Any, results: Sequence[Any]) -> Parts:
    """
    What to draw for results of one kind, part by part; *first* is the first of them.
    """
    raise NotImplementedError(f"no view for {type(first).__name__}")


@view.register
def _statuses(_: JobStatus, results: Sequence[JobStatus]) -> Parts:
    jobs = [result.job for result in results]
    yield _StatusTable(jobs)
    for job in jobs:
        if job.error:
            reason = one_line(job.error.message, 200)
            yield Text(f"{one_line(job.job_id)}: {reason}", "red")


@view.register
def _accepted(_: JobAccepted, results: Sequence[JobAccepted]) -> Parts:
    for result in results:
        yield Text.assemble(
            status(result.job.status), f"  {one_line(result.job.job_id)}"
        )
        yield Text(f"  collect it with: {unbroken(result.collect)}", "dim")


@view.register
def _saved(_: JobSaved, results: Sequence[JobSaved]) -> Parts:
    return (_file(result.job, file) for result in results for file in result.job.files)


@view.register
def _urls(_: JobUrls, results: Sequence[JobUrls]) -> Parts:
    return (Text(one_line(url)) for result in results for url in result.plain)


@view.register
def _settings(_: Setting, results: Sequence[Setting]) -> Parts:
    table = _table("SETTING", "VALUE", "FROM")
    for setting in results:
        source = Text(one_line(setting.source), "dim")
        table.add_row(setting.key, Text(one_line(setting.text)), source)
    return (table,)


@view.register
def _value(_: SettingValue, results: Sequence[SettingValue]) -> Parts:
    return (Text(one_line(setting.text)) for setting in results)


@view.register
def _config_path(_: ConfigPath, results: Sequence[ConfigPath]) -> Parts:
    for place in results:
        absent = "" if place.exists else "  (none yet)"
        yield Text.assemble(unbroken(place.path), (absent, "dim"))


@view.register
def _token(_: TokenStatus, results: Sequence[TokenStatus]) -> Parts:
    table = _table("TOKEN FROM", "FOR", "KEYRING")
    for token in results:
        table.add_row(
            Text(token.source or "nowhere", "green" if token.source else "red"),
            Text(one_line(token.origin)),
            Text(one_line(token.backend or ""), "dim"),
        )
        for shadowed in token.shadows:
            table.add_row(Text(f"hides {one_line(shadowed)}", "dim"), "", "")
    return (table,)


@view.register
def _uploaded(_: Uploaded, results: Sequence[Uploaded]) -> Parts:
    return [
        Text(one_line(result.asset.url)) + Text(f"  {one_line(result.name)}", "dim")
        for result in results
    ]


@view.register
def _topic(_: Topic, results: Sequence[Topic]) -> Parts:
    return [Text(result.text) for result in results]


@view.register
def _dry_run(_: DryRun, results: Sequence[DryRun]) -> Parts:
    return (Text(safe(line)) for result in results for line in result.plain)


view.register(views_models.rows)
view.register(views_models.details)
view.register(views_models.changes)
view.register(views_jobs.rows)
view.register(views_jobs.details)
view.register(views_jobs.in_doubt)
view.register(views_jobs.forgotten)
view.register(views_findings.findings)
view.register(views_sandbox.serving)
view.register(views_sandbox.emptied)


class _StatusTable:
    """
    A row for each job; a column for which there is no room is left out, but the id and
    the status are whole in any case.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._columns = {
            "JOB": [Text(one_line(job.job_id)) for job in jobs],
            "STATUS": [status(job.status) for job in jobs],
            "MODEL": [Text(one_line(job.model or ""), "dim") for job in jobs],
            "CREATED": [minute(job.created_at) for job in jobs],
        }

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        shown, room = [], options.max_width
        for title, cells in self._columns.items():
            width = max(len(title), *(cell.cell_len for cell in cells))
            if title in ("JOB", "STATUS") or width <= room:
                shown.append(title)
                room -= width + 2
        table = _table(*shown)
        table.width = options.max_width - room - 2  # none after the last
        for row in zip(*(self._columns[title] for title in shown), strict=True):
            table.add_row(*row)
        yield table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "JOB")
    return table


def _file(job: Job, file: SavedFile) -> Text:
    was = file.converted_from
    kinds = [kind.partition("/")[2].upper() for kind in (file.media_type, was) if kind]
    facts = [" from ".join(kinds), decimal(file.size_bytes)]
    if file.width and file.height:
        facts.insert(0, f"{file.width} x {file.height}")
    facts += [one_line(job.model)] if job.model else []
    if job.cost_usd is not None:
        facts.append(f"estimated {dollars(job.cost_usd)}")
    return Text.assemble(
        ("saved ", "green"),
        (unbroken(file.path), "bold"),
        (f"  {', '.join(facts)}", "dim"),
    )
