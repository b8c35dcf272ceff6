"""
How all that is known of a record looks to a person: a part for `views`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Column
from rich.text import Text

from krea_cli.api.models import SavedFile
from krea_cli.output.escape import (
    collapse_whitespace,
    escape_control_chars,
    single_line,
)
from krea_cli.output.human.format_text import duration
from krea_cli.output.human.jobs import minute, status
from krea_cli.output.human.layout import GAP, Parts, WrappedLine, table, words
from krea_cli.output.human.model_text import dollars
from krea_cli.output.human.saved import file_facts
from krea_cli.output.results.records import RecordDetails


def details(_: RecordDetails, results: Sequence[RecordDetails]) -> Parts:
    """
    All of each record: what became of it, what was asked for, the files.
    """
    for number, result in enumerate(results):
        if number:
            yield Text()
        record = result.record
        job_id = Text(collapse_whitespace(record.job_id or "no job id"))
        yield WrappedLine([status(result.status), job_id], hanging=GAP)
        for label, value in _facts(result).items():
            yield _fact(label, Text(collapse_whitespace(value)))
        if result.fields:
            yield Text()
            yield _Fields(result)
        for file in record.files:
            yield Text()
            yield from _file(file)


def _fact(label: str, *values: Text) -> WrappedLine:
    return WrappedLine([Text(f"{label:<8}", "dim"), *values], hanging=GAP)


def _facts(result: RecordDetails) -> dict[str, str]:
    record = result.record
    facts = {"MODEL": record.model, "CREATED": minute(result.created_at).plain}
    if record.seconds is not None:
        facts["TOOK"] = duration(record.seconds)
    if result.billed is False:
        facts["PRICE"] = "not billed"
        if record.cost_usd is not None:
            facts["PRICE"] += f" (the estimate was {dollars(record.cost_usd)})"
    elif record.cost_usd is not None:
        facts["PRICE"] = f"{dollars(record.cost_usd)}, an estimate"
    facts |= {"SERVICE": record.service, "RECORD": record.record}
    if record.request.get("webhook"):
        facts["WEBHOOK"] = record.request["webhook"]
    return facts


class _Fields:
    """
    The fields in columns, or where a word in them, such as a URL, is too long for that,
    one below the other.
    """

    def __init__(self, result: RecordDetails) -> None:
        self._fields = [
            (collapse_whitespace(name), escape_control_chars(v))
            for name, v in result.fields
        ]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        names = max(len("FIELD"), *(cell_len(name) for name, _ in self._fields))
        room = options.max_width - names - GAP
        longest = max(
            cell_len(w) for _, value in self._fields for w in ["", *value.split()]
        )
        if longest > room:
            yield from self._stacked()
            return
        sheet = table(Column("FIELD", no_wrap=True), "VALUE")
        for name, value in self._fields:
            sheet.add_row(Text(name), Text(value))
        yield sheet

    def _stacked(self) -> Parts:
        for name, value in self._fields:
            yield Text(name, "dim")
            for line in value.splitlines():
                yield words(line, indent=GAP)


def _file(file: SavedFile) -> Parts:
    facts = Text(", ".join(file_facts(file)), "dim")
    yield _fact("FILE", Text(single_line(file.path), "bold"), facts)
    yield _fact("SHA256", Text(collapse_whitespace(file.sha256)))
