"""
Draw jobs and journal records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePath

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.filesize import decimal
from rich.table import Column
from rich.text import Text

from krea_cli.api.models import Job, SavedFile
from krea_cli.output.escape import (
    collapse_whitespace,
    escape_control_chars,
    single_line,
)
from krea_cli.output.human.format_text import dollars, duration
from krea_cli.output.human.layout import (
    GAP,
    FirstThatFits,
    HintLine,
    Panel,
    Parts,
    ResponsiveTable,
    WrappedLine,
    table,
    wrap_sentence,
)
from krea_cli.output.results.costs import CostRow
from krea_cli.output.results.jobs import JobSaved, JobStatus, JobSubmitted
from krea_cli.output.results.records import (
    RecordDetails,
    RecordRow,
    RecordsDeleted,
    UnconfirmedRecord,
)

_STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "unknown": "bold yellow",
}
# Every command accepts an id prefix of this length for jobs in the journal.
_ID_LETTERS = 8
_MIN_PROMPT = 12
_TIGHT_PROMPT = 6
# Widths of the column for file names, from wide to narrow terminals.
_FILE_WIDTHS = (30, 20, 14, 10)
_MAX_PROMPT = 300
# The most likely candidates come first.
_MAX_CANDIDATES = 20
# Up to this many saved files have a line each for their facts. Below more files, up to
# this many models are named.
_MAX_SPACIOUS_FILES = 4
_MAX_MODELS = 3


def status(word: str) -> Text:
    """
    Color a status.
    """
    return Text(collapse_whitespace(word, 40), _STYLES.get(word, "cyan"))


def minute(time: str | None, *, clock: str = "%H:%M") -> Text:
    """
    Format an API timestamp in local time, to the minute. Invalid timestamps stay
    unchanged.
    """
    try:
        local = datetime.fromisoformat(time or "").astimezone()
    except (ValueError, OverflowError, OSError):
        return Text(collapse_whitespace(time or "", 16))
    return Text(f"{local:%Y-%m-%d} {local:{clock}}")


def second(time: str | None) -> str:
    """
    Format a timestamp to the second, for comparison with others.
    """
    return minute(time, clock="%H:%M:%S").plain


def rows(_: RecordRow, results: Sequence[RecordRow]) -> Parts:
    """
    Draw a row for each record, and the total of the prices shown.

    File, price and prompt are shown at every width. The time is left out if space is
    short, and the model is shown only where there is room.
    """
    widest = _sheet(results, _FILE_WIDTHS[0])
    with_time = [_sheet(results, width) for width in _FILE_WIDTHS]
    without = [_sheet(results, width, has_time=False) for width in _FILE_WIDTHS]
    tight = _sheet(results, _FILE_WIDTHS[-1], has_time=False, least=_TIGHT_PROMPT)
    yield FirstThatFits(*with_time, *without, tight, widest)
    yield wrap_sentence(_total(results), "dim")


def _sheet(
    results: Sequence[RecordRow],
    file_width: int,
    *,
    has_time: bool = True,
    least: int = _MIN_PROMPT,
) -> ResponsiveTable:
    short = Counter((result.record.job_id or "")[:_ID_LETTERS] for result in results)
    titles = ["JOB", "STATUS", "CREATED", "MODEL", "PRICE", "FILE", "PROMPT"]
    cells = []
    for result in results:
        record = result.record
        is_unique = short[(record.job_id or "")[:_ID_LETTERS]] == 1
        row = {
            "JOB": _name(result, letters=_ID_LETTERS if is_unique else None),
            "STATUS": status(result.status),
            "CREATED": minute(result.created_at),
            "MODEL": Text(collapse_whitespace(record.model), "dim"),
            "PRICE": _price(result),
            "FILE": _file_name(record.files, file_width),
            "PROMPT": Text(collapse_whitespace(record.prompt or "", _MAX_PROMPT)),
        }
        cells.append([row[title] for title in titles if has_time or title != "CREATED"])
    return ResponsiveTable(
        [title for title in titles if has_time or title != "CREATED"],
        cells,
        optional=("MODEL",),
        cut="PROMPT",
        least=least,
        right="PRICE",
    )


def _file_name(files: Sequence[SavedFile], width: int) -> Text:
    """
    Show the name of the first file, shortened in its middle, and how many more there
    are.
    """
    if not files:
        return Text("")
    more = f" +{len(files) - 1}" if len(files) > 1 else ""
    name = collapse_whitespace(PurePath(files[0].path).name or files[0].path)
    room = width - len(more)
    if cell_len(name) > room:
        tail = room // 2
        head = Text(name)
        head.truncate(room - tail, overflow="ellipsis")
        ending = name
        while cell_len(ending) > tail:
            ending = ending[1:]
        name = head.plain + ending
    return Text(name + more)


def _total(results: Sequence[RecordRow]) -> str:
    """
    Return the total estimate of the jobs that are or may be billed.
    """
    costs = [result.record.cost_usd for result in results if result.billed is not False]
    known = [cost for cost in costs if cost is not None]
    jobs = "1 job" if len(results) == 1 else f"{len(results)} jobs"
    total = f"Shown: {jobs}, {dollars(sum(known))}"
    if unknown := len(costs) - len(known):
        prices = "1 unknown price" if unknown == 1 else f"{unknown} unknown prices"
        total += f" and {prices}"
    return f"{total}."


def unconfirmed(_: UnconfirmedRecord, results: Sequence[UnconfirmedRecord]) -> Parts:
    """
    Draw each unconfirmed request with its candidate jobs.
    """
    for result in results:
        record = result.record
        title = status(result.status).append("  request", "none")
        yield WrappedLine([title, Text(record.record)], gap=1, hanging=GAP)
        facts = [second(result.created_at), collapse_whitespace(record.model)]
        facts += [dollars(record.cost_usd)] if record.cost_usd is not None else []
        dim = [Text(fact, "dim") for fact in facts]
        yield WrappedLine(dim, indent=GAP, hanging=GAP)
        if record.prompt is not None:
            yield wrap_sentence(
                collapse_whitespace(record.prompt, _MAX_PROMPT), indent=GAP
            )
        if result.candidates is None:
            asked = "could not get Krea's job list"
            yield wrap_sentence(asked, "dim", indent=GAP)
        elif not result.candidates:
            none = "no job in Krea's list that could belong to it"
            yield wrap_sentence(none, "dim", indent=GAP)
        candidates = result.candidates or ()
        yield from map(_candidate, candidates[:_MAX_CANDIDATES])
        if len(candidates) > _MAX_CANDIDATES:
            rest = f"{len(candidates) - _MAX_CANDIDATES} more (show all: --json)"
            yield wrap_sentence(rest, "dim", indent=GAP)


def deleted(_: RecordsDeleted, results: Sequence[RecordsDeleted]) -> Parts:
    """
    Report the number of deleted records.
    """
    for result in results:
        yield Text(f"{result.count} record{'s' * (result.count != 1)} deleted")


def _name(result: RecordRow, *, letters: int | None = None) -> Text:
    """
    Show the job id, or else the record id, which commands accept as well.
    """
    if result.record.job_id:
        return Text(collapse_whitespace(result.record.job_id)[:letters])
    return Text(f"request {result.record.record[:_ID_LETTERS]}", "dim")


def _price(result: RecordRow) -> Text:
    if result.billed is False:
        return Text("not billed", "dim")
    cost = result.record.cost_usd
    return Text("" if cost is None else dollars(cost))


def _candidate(job: Job) -> WrappedLine:
    created = f"created {second(job.created_at) or 'at an unknown time'}"
    parts = [
        Text("possible match"),
        Text(collapse_whitespace(job.job_id)),
        status(job.status),
        Text(created),
    ]
    return WrappedLine(parts, indent=GAP, hanging=2 * GAP)


def statuses(_: JobStatus, results: Sequence[JobStatus]) -> Parts:
    jobs = [result.job for result in results]
    rows = [
        (
            Text(collapse_whitespace(job.job_id)),
            status(job.status),
            Text(collapse_whitespace(job.model or ""), "dim"),
            minute(job.created_at),
        )
        for job in jobs
    ]
    titles = ("JOB", "STATUS", "MODEL", "CREATED")
    yield ResponsiveTable(titles, rows, optional=("MODEL", "CREATED"))
    for job in jobs:
        if job.style_id:
            yield wrap_sentence(
                f"{collapse_whitespace(job.job_id)}: style {job.style_id}", hanging=GAP
            )
        if job.error:
            reason = collapse_whitespace(job.error.message, 200)
            yield wrap_sentence(
                f"{collapse_whitespace(job.job_id)}: {reason}", "red", hanging=GAP
            )


def submitted(_: JobSubmitted, results: Sequence[JobSubmitted]) -> Parts:
    """
    Draw each job, with the command that saves it.
    """
    following = [*(result.collect for result in results[1:]), None]
    for result, later in zip(results, following, strict=True):
        job = result.job
        yield WrappedLine(
            [status(job.status), Text(collapse_whitespace(job.job_id))], hanging=GAP
        )
        if result.collect != later:
            pronoun = "it" if len(results) == 1 else "them"
            collect = f"Save {pronoun}: {single_line(result.collect)}"
            yield HintLine(collect, "dim", indent=GAP)


def details(_: RecordDetails, results: Sequence[RecordDetails]) -> Parts:
    """
    Draw everything about each record: status, request and files.
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
            yield _RecordFields(result)
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
            facts["PRICE"] += f" (estimate was {dollars(record.cost_usd)})"
    elif record.cost_usd is not None:
        facts["PRICE"] = f"{dollars(record.cost_usd)} (estimated)"
    facts |= {"SERVICE": record.service, "RECORD": record.record}
    if record.request.get("webhook"):
        facts["WEBHOOK"] = record.request["webhook"]
    return facts


class _RecordFields:
    """
    Request fields in columns, or stacked if a word in them, such as a URL, is too long.
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
                yield wrap_sentence(line, indent=GAP)


def _file(file: SavedFile) -> Parts:
    facts = Text(", ".join(file_facts(file)), "dim")
    yield _fact("FILE", Text(single_line(file.path), "bold"), facts)
    yield _fact("SHA256", Text(collapse_whitespace(file.sha256)))


def saved(_: JobSaved, results: Sequence[JobSaved]) -> Parts:
    """
    Draw one panel for all jobs: each path with its facts below it. If there are many
    files, the facts are on the same line, and the models and total price follow.
    """
    jobs = [result.job for result in results]
    count = sum(len(job.files) or bool(job.style_id) for job in jobs)
    lines = _lines_of_many(jobs) if count > _MAX_SPACIOUS_FILES else _lines_of(jobs)
    title = "saved" if count == 1 else f"saved {count} files"
    return [Panel(Text(title, "bold green"), lines)] if lines else []


def _lines_of(jobs: Sequence[Job]) -> list[WrappedLine]:
    lines = list[WrappedLine]()
    for job in jobs:
        for file in job.files:
            is_last = file is job.files[-1]
            facts = file_facts(file) + (_job_facts(job) if is_last else [])
            lines.append(WrappedLine([Text(single_line(file.path), "bold")], hanging=0))
            lines.append(WrappedLine([Text(fact, "dim") for fact in facts], hanging=0))
        if job.style_id and not job.files:
            lines.append(WrappedLine([Text(job.style_id, "bold")], hanging=0))
            facts = ["style", *_job_facts(job)]
            lines.append(WrappedLine([Text(fact, "dim") for fact in facts], hanging=0))
    return lines


def _lines_of_many(jobs: Sequence[Job]) -> list[WrappedLine]:
    lines = [
        WrappedLine(
            [
                Text(single_line(file.path), "bold"),
                *(Text(fact, "dim") for fact in file_facts(file)),
            ],
            hanging=GAP,
        )
        for job in jobs
        for file in job.files
    ]
    models = {collapse_whitespace(job.model): None for job in jobs if job.model}
    facts = list(models) if len(models) <= _MAX_MODELS else [f"{len(models)} models"]
    prices = [job.cost_usd for job in jobs if job.cost_usd is not None]
    if prices:
        facts.append(f"estimated {dollars(sum(prices))}")
    return [*lines, WrappedLine([Text(fact, "dim") for fact in facts], hanging=0)]


def file_facts(file: SavedFile) -> list[str]:
    """
    List size in pixels (if any), type and file size.
    """
    kind = collapse_whitespace(file.media_type.partition("/")[2].upper())
    facts = [kind, decimal(file.size_bytes)]
    if file.width and file.height:
        facts.insert(0, f"{file.width}x{file.height}")
    return facts


def _job_facts(job: Job) -> list[str]:
    facts = [] if job.duration is None else [duration(job.duration)]
    facts += [collapse_whitespace(job.model)] if job.model else []
    if job.cost_usd is not None:
        facts.append(f"estimated {dollars(job.cost_usd)}")
    return facts


def costs(first: CostRow, results: Sequence[CostRow]) -> Parts:
    """
    Draw a row for each group. Empty columns are left out.
    """
    rows = [
        (
            Text(
                "total"
                if row.group.name is None
                else collapse_whitespace(row.group.name)
            ),
            Text(str(row.group.jobs)),
            Text(dollars(row.group.estimated_usd)),
            _count(row.group.unfinished, row.group.unfinished_usd),
            Text(str(row.group.unbilled) if row.group.unbilled else "", "dim"),
            _count(row.group.unconfirmed, row.group.unconfirmed_usd),
            Text(str(row.group.unpriced) if row.group.unpriced else "", "yellow"),
        )
        for row in results
    ]
    titles = (
        (first.by or "group").upper(),
        "JOBS",
        "ESTIMATE",
        "UNFINISHED",
        "NOT BILLED",
        "UNCONFIRMED",
        "NO PRICE",
    )
    yield ResponsiveTable(titles, rows, optional=titles[3:], right="ESTIMATE")


def _count(count: int, usd: float) -> Text:
    return Text(f"{count} ({dollars(usd)})" if count else "", "yellow")
