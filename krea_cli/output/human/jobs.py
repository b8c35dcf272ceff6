"""
How the records of the journal look to a person: parts for `views`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from krea_cli.api.models import Job
from krea_cli.output.escape import collapse_whitespace
from krea_cli.output.human.layout import GAP, Parts, WrappedLine, words
from krea_cli.output.human.model_text import dollars
from krea_cli.output.human.responsive_table import FirstThatFits, ResponsiveTable
from krea_cli.output.results.records import RecordInDoubt, RecordRow, RecordsForgotten

_STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "unknown": "bold yellow",
}
# What every command takes for an id that the journal knows.
_ID_LETTERS = 8
_LEAST_PROMPT = 12
_MOST_PROMPT = 300
# Those that are made first are the likeliest.
_MOST_CANDIDATES = 20


def status(word: str) -> Text:
    """
    A status in its colour.
    """
    return Text(collapse_whitespace(word, 40), _STYLES.get(word, "cyan"))


def minute(time: str | None, *, clock: str = "%H:%M") -> Text:
    """
    A time of the service in the user's own time zone; what is none stays as it is.
    """
    try:
        local = datetime.fromisoformat(time or "").astimezone()
    except (ValueError, OverflowError, OSError):
        return Text(collapse_whitespace(time or "", 16))
    return Text(f"{local:%Y-%m-%d} {local:{clock}}")


def second(time: str | None) -> str:
    """
    As `minute`, for what is to be compared.
    """
    return minute(time, clock="%H:%M:%S").plain


def rows(_: RecordRow, results: Sequence[RecordRow]) -> Parts:
    """
    A row for each record: when it was and what was asked for count for more than what
    made it, and for that the ids are shortened where there is no room.
    """
    whole = _sheet([_name(result) for result in results], results)
    short = [_name(result, letters=_ID_LETTERS) for result in results]
    are_told_apart = len({name.plain for name in short}) == len(short)
    sheets = [whole, _sheet(short, results), whole] if are_told_apart else [whole]
    return (FirstThatFits(*sheets),)


def _sheet(names: Sequence[Text], results: Sequence[RecordRow]) -> ResponsiveTable:
    cells = [
        (
            name,
            status(result.status),
            minute(result.created_at),
            Text(collapse_whitespace(result.record.model), "dim"),
            _price(result),
            Text(collapse_whitespace(result.record.prompt or "", _MOST_PROMPT)),
        )
        for name, result in zip(names, results, strict=True)
    ]
    return ResponsiveTable(
        ("JOB", "STATUS", "CREATED", "MODEL", "PRICE", "PROMPT"),
        cells,
        gives_way=("MODEL", "PRICE"),
        cut="PROMPT",
        least=_LEAST_PROMPT,
        right="PRICE",
    )


def in_doubt(_: RecordInDoubt, results: Sequence[RecordInDoubt]) -> Parts:
    """
    Each request in doubt, with the jobs that may be its own.
    """
    for result in results:
        record = result.record
        title = status(result.status).append("  record", "none")
        yield WrappedLine([title, Text(record.record)], gap=1, hanging=GAP)
        facts = [second(result.created_at), collapse_whitespace(record.model)]
        facts += [dollars(record.cost_usd)] if record.cost_usd is not None else []
        dim = [Text(fact, "dim") for fact in facts]
        yield WrappedLine(dim, indent=GAP, hanging=GAP)
        if record.prompt is not None:
            yield words(collapse_whitespace(record.prompt, _MOST_PROMPT), indent=GAP)
        if result.candidates is None:
            asked = "the service could not be asked for its jobs"
            yield words(asked, "dim", indent=GAP)
        elif not result.candidates:
            none = "no job made since then is in the service's list"
            yield words(none, "dim", indent=GAP)
        candidates = result.candidates or ()
        yield from map(_candidate, candidates[:_MOST_CANDIDATES])
        if len(candidates) > _MOST_CANDIDATES:
            rest = f"{len(candidates) - _MOST_CANDIDATES} more, all with --json"
            yield words(rest, "dim", indent=GAP)


def forgotten(_: RecordsForgotten, results: Sequence[RecordsForgotten]) -> Parts:
    """
    How many.
    """
    for result in results:
        yield Text(f"{result.count} record{'s' * (result.count != 1)} forgotten")


def _name(result: RecordRow, *, letters: int | None = None) -> Text:
    """
    The job, or where there is none, what stands for it in other commands.
    """
    if result.record.job_id:
        return Text(collapse_whitespace(result.record.job_id)[:letters])
    return Text(f"record {result.record.record[:_ID_LETTERS]}", "dim")


def _price(result: RecordRow) -> Text:
    if result.billed is False:
        return Text("not billed", "dim")
    cost = result.record.cost_usd
    return Text("" if cost is None else dollars(cost))


def _candidate(job: Job) -> WrappedLine:
    created = f"created {second(job.created_at) or 'at an unknown time'}"
    parts = [
        Text("candidate"),
        Text(collapse_whitespace(job.job_id)),
        status(job.status),
        Text(created),
    ]
    return WrappedLine(parts, indent=GAP, hanging=2 * GAP)
