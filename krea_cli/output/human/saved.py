"""
How saved results look to a person: parts for `views`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.filesize import decimal
from rich.text import Text

from krea_cli.api.models import Job, SavedFile
from krea_cli.output.escape import collapse_whitespace, single_line
from krea_cli.output.human.format_text import duration
from krea_cli.output.human.layout import Panel, Parts, WrappedLine
from krea_cli.output.human.model_text import dollars
from krea_cli.output.results.jobs import JobSaved


def saved(_: JobSaved, results: Sequence[JobSaved]) -> Parts:
    """
    One panel for all: each path in a line of its own, and below it what is known.
    """
    lines = list[WrappedLine]()
    for job in (result.job for result in results):
        for file in job.files:
            is_last = file is job.files[-1]
            facts = file_facts(file) + (_job_facts(job) if is_last else [])
            lines.append(WrappedLine([Text(single_line(file.path), "bold")], hanging=0))
            lines.append(WrappedLine([Text(fact, "dim") for fact in facts], hanging=0))
    count = len(lines) // 2
    title = "saved" if count == 1 else f"saved {count} files"
    return [Panel(Text(title, "bold green"), lines)] if lines else []


def file_facts(file: SavedFile) -> list[str]:
    """
    Pixels, if it has any, type and size.
    """
    kind = collapse_whitespace(file.media_type.partition("/")[2].upper())
    facts = [kind, decimal(file.size_bytes)]
    if file.width and file.height:
        facts.insert(0, f"{file.width} x {file.height}")
    return facts


def _job_facts(job: Job) -> list[str]:
    facts = [] if job.took is None else [duration(job.took)]
    facts += [collapse_whitespace(job.model)] if job.model else []
    if job.cost_usd is not None:
        facts.append(f"estimated {dollars(job.cost_usd)}")
    return facts
