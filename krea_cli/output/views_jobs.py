"""
How the records of the journal look to a person: parts for `views`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderableType
from rich.filesize import decimal
from rich.table import Column, Table
from rich.text import Text

from krea_cli.api.resources import Job, SavedFile
from krea_cli.output.job_records import (
    RecordDetails,
    RecordInDoubt,
    RecordRow,
    RecordsForgotten,
)
from krea_cli.output.model_words import dollars
from krea_cli.output.terminal import one_line, safe, unbroken

_STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "unknown": "bold yellow",
}
_GAP = 2
_LEAST_PROMPT = 12
_MOST_PROMPT = 300

Parts = Iterable[RenderableType]


def status(word: str) -> Text:
    """
    A status in its colour.
    """
    return Text(one_line(word, 40), _STYLES.get(word, "blue"))


def minute(time: str | None, *, clock: str = "%H:%M") -> Text:
    """
    A time of the service in the user's own time zone; what is none stays as it is.
    """
    try:
        local = datetime.fromisoformat(time or "").astimezone()
    except (ValueError, OverflowError, OSError):
        return Text(one_line(time or "", 16))
    return Text(f"{local:%Y-%m-%d} {local:{clock}}")


def second(time: str | None) -> str:
    """
    As `minute`, for what is to be compared.
    """
    return minute(time, clock="%H:%M:%S").plain


def rows(_: RecordRow, results: Sequence[RecordRow]) -> Parts:
    """
    A row for each record.
    """
    return (_Rows(results),)


def details(_: RecordDetails, results: Sequence[RecordDetails]) -> Parts:
    """
    All of each record: what became of it, what was asked for, the files.
    """
    for number, result in enumerate(results):
        if number:
            yield Text()
        record = result.record
        yield Text.assemble(
            status(result.status), f"  {one_line(record.job_id or 'no job id')}"
        )
        for label, value in _facts(result).items():
            yield Text.assemble((f"{label:<10}", "dim"), one_line(value))
        if result.fields:
            yield Text()
            yield _fields(result)
        for file in record.files:
            yield Text()
            yield from _file(file)


def in_doubt(_: RecordInDoubt, results: Sequence[RecordInDoubt]) -> Parts:
    """
    Each request in doubt, with the jobs that may be its own.
    """
    for result in results:
        record = result.record
        yield Text.assemble(status(result.status), f"  record {record.record}")
        facts = [second(result.created_at), one_line(record.model)]
        facts += [dollars(record.cost_usd)] if record.cost_usd is not None else []
        yield Text(f"  {'  '.join(facts)}", "dim")
        if record.prompt is not None:
            yield Text(f"  {one_line(record.prompt, _MOST_PROMPT)}")
        if result.candidates is None:
            yield Text("  the service could not be asked for its jobs", "dim")
        elif not result.candidates:
            yield Text("  no job of that time is in the service's list", "dim")
        for job in result.candidates or ():
            yield _candidate(job)


def forgotten(_: RecordsForgotten, results: Sequence[RecordsForgotten]) -> Parts:
    """
    How many.
    """
    for result in results:
        yield Text(f"{result.count} record{'s' * (result.count != 1)} forgotten")


class _Rows:
    """
    Job and status are whole in any case; of the others each is shown that has room,
    when it was and what was asked for first, and the prompt is cut to what is left.
    """

    def __init__(self, results: Sequence[RecordRow]) -> None:
        self._columns = {
            "JOB": [_name(result) for result in results],
            "STATUS": [status(result.status) for result in results],
            "CREATED": [minute(result.created_at) for result in results],
            "MODEL": [Text(one_line(r.record.model), "dim") for r in results],
            "PRICE": [_price(result) for result in results],
            "PROMPT": [_prompt(result) for result in results],
        }

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        widths = {
            title: max(len(title), *(cell.cell_len for cell in cells))
            for title, cells in self._columns.items()
        }
        room = options.max_width - widths["JOB"] - widths["STATUS"] - _GAP
        shown = {"JOB", "STATUS"}
        least = min(widths["PROMPT"], _LEAST_PROMPT)
        for title, width in (
            ("CREATED", widths["CREATED"]),
            ("PROMPT", least),
            ("MODEL", widths["MODEL"]),
            ("PRICE", widths["PRICE"]),
        ):
            if width + _GAP <= room:
                shown.add(title)
                room -= width + _GAP
        widths["PROMPT"] = min(widths["PROMPT"], least + max(room, 0))
        titles = [title for title in self._columns if title in shown]
        table = _table(*(_column(title, widths[title]) for title in titles))
        table.width = sum(widths[title] + _GAP for title in titles) - _GAP
        for row in zip(*(self._columns[title] for title in titles), strict=True):
            table.add_row(*row)
        yield table


def _table(*columns: Column) -> Table:
    return Table(
        *columns, box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0)
    )


def _column(title: str, width: int) -> Column:
    return Column(
        title,
        width=width,
        no_wrap=True,
        overflow="ellipsis",
        justify="right" if title == "PRICE" else "left",
    )


def _name(result: RecordRow) -> Text:
    """
    The job, or where there is none, what stands for it in other commands.
    """
    if result.record.job_id:
        return Text(one_line(result.record.job_id))
    return Text(f"record {result.record.record[:8]}", "dim")


def _price(result: RecordRow) -> Text:
    cost = result.record.cost_usd
    return Text("" if cost is None else dollars(cost))


def _prompt(result: RecordRow) -> Text:
    return Text(one_line(result.record.prompt or "", _MOST_PROMPT))


def _facts(result: RecordDetails) -> dict[str, str]:
    record = result.record
    facts = {"MODEL": record.model, "CREATED": minute(result.created_at).plain}
    if record.seconds is not None:
        facts["TOOK"] = f"{record.seconds:.0f} s"
    if record.cost_usd is not None:
        facts["PRICE"] = f"{dollars(record.cost_usd)}, an estimate"
    facts |= {"SERVICE": record.service, "RECORD": record.record}
    if record.request.get("webhook"):
        facts["WEBHOOK"] = record.request["webhook"]
    return facts


def _fields(result: RecordDetails) -> Table:
    table = _table(Column("FIELD", no_wrap=True), Column("VALUE", overflow="fold"))
    for name, value in result.fields:
        table.add_row(Text(one_line(name)), Text(safe(value)))
    return table


def _file(file: SavedFile) -> Parts:
    facts = [file.media_type.partition("/")[2].upper(), decimal(file.size_bytes)]
    if file.width and file.height:
        facts.insert(0, f"{file.width} x {file.height}")
    yield Text.assemble(
        ("FILE      ", "dim"),
        (unbroken(file.path), "bold"),
        (f"  {one_line(', '.join(facts))}", "dim"),
    )
    yield Text.assemble(("SHA256    ", "dim"), one_line(file.sha256))


def _candidate(job: Job) -> Text:
    return Text.assemble(
        f"  candidate {one_line(job.job_id)}  ",
        status(job.status),
        f"  created {second(job.created_at) or 'at an unknown time'}",
    )
