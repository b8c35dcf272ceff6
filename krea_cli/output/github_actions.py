"""
Write for GitHub Actions: the log of a step, its outputs, its summary.

The runner executes log lines that begin with `::`, and `##[` anywhere in a line. Only
`annotation` writes such a line on purpose.
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

# The runner ignores whitespace before `::`, and log viewers remove colors.
_BEGIN = r"(?:[^\S\r\n]|\x1b\[[\d;]*m)*::"
_COMMAND = rf"(?<=[\r\n])(?={_BEGIN})"
# Also for other systems: ##vso[, ##teamcity[.
_BRACKET = r"(##\w*)\["
_CELL_CHARACTERS = 300
_HEADER = "| File | Size | Model | Estimate | Job |\n|---|---|---|---:|---|\n"
_UNBILLED = ("failed", "cancelled")
# Prefix of the delimiters around the values that krea writes.
_DELIMITER = "krea-"


def neutralize_commands(text: str, *, begins_line: bool) -> str:
    """
    Put `| ` before each line that is a command, and a space into each old-style
    command.

    Set `begins_line` if the text starts at the beginning of a line.
    """
    before = "\n" if begins_line else "-"
    bare = re.sub(_BRACKET, r"\1 [", text)
    return re.sub(_COMMAND, "| ", before + bare)[1:]


def neutralize_json(text: str) -> str:
    """
    Return equivalent JSON that contains no command.
    """
    return re.sub(_BRACKET, r"\1\\u005b", text)


def neutralize_path(path: str) -> str:
    """
    Return a path of the same file that does not begin like a command.
    """
    return f"./{path}" if re.match(_BEGIN, path) else path


def contains_command(path: str) -> bool:
    """
    Return True if the path contains a command, so that it cannot be logged unchanged.
    """
    return re.search(_BRACKET, path) is not None


def annotation(error: KreaError) -> str:
    """
    Format the error as a command that shows it next to the run, with details and hints.
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
    unconfirmed: bool = False,
    before: str = "",
) -> str:
    """
    Build the outputs for later steps.

    `path` has a line for each file, `job_id` a line for each job. `cost_usd` is the
    estimate for everything that was submitted and is billed. It is empty if a price is
    unknown or a request is `unconfirmed`. `paid` has the ids of the jobs that this
    command submitted: saving other jobs costs nothing.

    The runner keeps only the last value of an output, so each command in a step repeats
    the values that krea wrote `before` and adds its own.
    """
    earlier = _written(before)
    costs = [
        job.cost_usd
        for job in jobs
        if job.job_id in paid and job.status not in _UNBILLED
    ]
    known = [cost for cost in costs if cost is not None]
    spent = _number(earlier.get("cost_usd", "0"))
    is_known = len(known) == len(costs) and not unconfirmed and spent is not None
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
    Add new lines to an output, each at most once.
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
    Parse the outputs that krea wrote in this step, in the way the runner parses them.

    Values with other delimiters are not from krea and are ignored.
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
    Format outputs with random delimiters.

    A value cannot end itself early, because nobody can predict the delimiter
    (CVE-2020-15228).
    """
    ends = {name: f"{_DELIMITER}{os.urandom(16).hex()}" for name in values}
    # The last line, written by another program, may lack its line break.
    return "\n" + "".join(
        f"{name}<<{ends[name]}\n{value}\n{ends[name]}\n"
        for name, value in values.items()
    )


def summary(
    jobs: Sequence[Job],
    *,
    paid: Container[str],
    unconfirmed: Sequence[str] = (),
    before: str,
) -> str:
    """
    Build a Markdown table with a row for each file, and for each job without files.

    `unconfirmed` has commands that search for the jobs of unconfirmed requests; each
    gets a row. `paid` is as in `outputs`. `before` is the existing summary: if it ends
    with such a table, the table is continued.
    """
    rows = "".join(
        row for job in jobs for row in _rows(job, is_paid=job.job_id in paid)
    )
    for command in unconfirmed:
        rows += _row(f"unconfirmed, may be billed: {command}", "", "", "", "")
    if before.rpartition("\n\n")[2].startswith(_HEADER) and before.endswith("\n"):
        return rows
    gap = "\n\n" if before else ""
    return f"{gap}{_HEADER}{rows}"


def item_table(rows: Sequence[Sequence[str]]) -> str:
    """
    Return a Markdown table of batch items, each with file, action and estimate.
    """
    head = "\n\n| File | To do | Estimate |\n|---|---|---:|\n"
    return head + "".join(_row(*row) for row in rows)


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
    Escape the text, so that Markdown, HTML and GitHub show it literally.

    It cannot contain emphasis, a link, an image, a mention, or the end of the cell.
    """
    shown = collapse_whitespace(text, _CELL_CHARACTERS)
    plain = re.sub(r"[^\w /-]|_", lambda match: f"&#{ord(match[0])};", shown)
    return f"<code>{plain}</code>" if plain else ""
