"""
Write for GitHub Actions: the log of a step, its outputs, its summary.

The runner obeys a line of a log that begins with `::`, and `##[` anywhere in a line.
Only `annotation` writes one on purpose.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from krea_cli.output.escape import collapse_whitespace, single_line
from krea_cli.output.human.format_text import dollars

if TYPE_CHECKING:
    from krea_cli.api.models import Job
    from krea_cli.errors import KreaError

# Blanks before it do not matter to the runner, nor colors to whoever takes them out.
_BEGIN = r"(?:[^\S\r\n]|\x1b\[[\d;]*m)*::"
_COMMAND = re.compile(rf"(?<=[\r\n])(?={_BEGIN})")
# Of other systems, too: ##vso[, ##teamcity[.
_BRACKET = re.compile(r"(##\w*)\[")
_CELL_CHARACTERS = 300
_HEADER = "| File | Size | Model | Estimate | Job |\n|---|---|---|---:|---|\n"
_UNBILLED = ("failed", "cancelled")
# Begins the delimiters of the values that krea writes.
_DELIMITER = "krea-"


def neutralize_commands(text: str, *, begins_line: bool) -> str:
    """
    Put `| ` before each line that is a command, and a blank into each old one.
    *begins_line* says whether the text begins a line.
    """
    before = "\n" if begins_line else "-"
    return _COMMAND.sub("| ", before + _BRACKET.sub(r"\1 [", text))[1:]


def harmless_json(text: str) -> str:
    """
    Write the same JSON without a command.
    """
    return _BRACKET.sub(r"\1\\u005b", text)


def harmless_path(path: str) -> str:
    """
    Return a path of the same file that does not begin as a command does.
    """
    return f"./{path}" if re.match(_BEGIN, path) else path


def contains_command(path: str) -> bool:
    """
    Tell whether the path contains a command, so that no log can have it as it is.
    """
    return _BRACKET.search(path) is not None


def annotation(error: KreaError) -> str:
    """
    Format the error, with its details and hints, as a command that shows it beside the
    run.
    """
    hints = [f"hint: {hint}" for hint in error.hints]
    lines = [single_line(line) for line in (error.message, *error.details, *hints)]
    text = neutralize_commands("\n".join(lines), begins_line=True)
    return f"::error title={_property(f'krea: {error.code}')}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def outputs(
    jobs: Sequence[Job],
    *,
    paid: Container[str],
    in_doubt: bool = False,
    before: str = "",
) -> str:
    """
    Build the outputs for later steps: `path`, of each file, and `job_id`, of each job,
    one per line; `cost_usd`, the estimate for what was submitted and is billed. It is
    empty if the price is unknown, as with a request *in_doubt*. *paid* has the ids of
    the jobs that this call submitted: saving others costs nothing.

    The runner keeps only the last value of an output, so each call of a step repeats
    those that krea wrote *before*, and adds its own.
    """
    earlier = _written(before)
    costs = [
        job.cost_usd
        for job in jobs
        if job.job_id in paid and job.status not in _UNBILLED
    ]
    known = [cost for cost in costs if cost is not None]
    spent = _number(earlier.get("cost_usd", "0"))
    is_known = len(known) == len(costs) and not in_doubt and spent is not None
    total = round(sum(known) + (spent or 0.0), 6)
    return _outputs(
        {
            "path": _added(earlier, "path", [p for job in jobs for p in _paths(job)]),
            "job_id": _added(earlier, "job_id", [job.job_id for job in jobs]),
            "cost_usd": f"{total:.10g}" if is_known else "",
        }
    )


def _added(earlier: Mapping[str, str], name: str, new: Sequence[str]) -> str:
    """
    Add new lines to an output, each only once.
    """
    lines = earlier.get(name, "").split("\n") if earlier.get(name) else []
    return "\n".join([*lines, *(line for line in new if line not in lines)])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _written(text: str) -> dict[str, str]:
    """
    The outputs in the file of a step that krea wrote, read as the runner reads them: a
    value of somebody else that looks like one of krea's is none.
    """
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        name, _, end = line.partition("<<")
        if not end or "=" in name:
            continue
        value = list(iter(partial(next, lines, end), end))
        if end.startswith(_DELIMITER):
            found[name] = "\n".join(value)
    return found


def _paths(job: Job) -> list[str]:
    return [file.path for file in job.files if file.path != "-"]


def _outputs(values: Mapping[str, str]) -> str:
    """
    No value can end itself: nobody knows the delimiter before (CVE-2020-15228).
    """
    ends = {name: f"{_DELIMITER}{os.urandom(16).hex()}" for name in values}
    # The line before, which is of somebody else, may not be ended.
    return "\n" + "".join(
        f"{name}<<{ends[name]}\n{value}\n{ends[name]}\n"
        for name, value in values.items()
    )


def summary(
    jobs: Sequence[Job],
    *,
    paid: Container[str],
    in_doubt: Sequence[str] = (),
    before: str,
) -> str:
    """
    A table in Markdown with a row for each file, or job without one, and for each
    command of *in_doubt*, which looks for a lost job; *paid* as in `outputs`; *before*
    is what the summary has already, whose table goes on if it is the last thing in it.
    """
    rows = "".join(
        row for job in jobs for row in _rows(job, is_paid=job.job_id in paid)
    )
    for command in in_doubt:
        rows += _row(f"unconfirmed, may be billed: {command}", "", "", "", "")
    if before.rpartition("\n\n")[2].startswith(_HEADER) and before.endswith("\n"):
        return rows
    gap = "\n\n" if before else ""
    return f"{gap}{_HEADER}{rows}"


def _rows(job: Job, *, is_paid: bool) -> list[str]:
    cost = "" if job.cost_usd is None else dollars(job.cost_usd)
    if job.status in _UNBILLED:
        cost = "not billed"
    elif not is_paid:
        cost = "paid earlier"
    about = (job.model or "", cost, job.job_id)
    if not job.files:
        reason = f"{job.status}: {job.error.message}" if job.error else job.status
        return [_row(reason, "", *about)]
    return [
        _row(
            file.path,
            f"{file.width}x{file.height}" if file.width and file.height else "",
            *about,
        )
        for file in job.files
    ]


def _row(*cells: str) -> str:
    return f"| {' | '.join(map(_cell, cells))} |\n"


def _cell(text: str) -> str:
    """
    The text as it is, whatever it would be in Markdown, HTML or to GitHub: nothing in
    it is emphasis, a link, an image, a mention or the end of the cell.
    """
    shown = collapse_whitespace(text, _CELL_CHARACTERS)
    plain = re.sub(r"[^\w /-]|_", lambda match: f"&#{ord(match[0])};", shown)
    return f"<code>{plain}</code>" if plain else ""
