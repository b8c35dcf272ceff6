"""
How results look to a person, part by part.  One of the homes of rich.

Text of foreign origin comes in as `Text`, never as markup (hazard T2).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from rich.text import Text

from krea_cli.output.escape import (
    collapse_whitespace,
    escape_control_chars,
    single_line,
)
from krea_cli.output.human import checks, models, sandbox
from krea_cli.output.human import costs as views_costs
from krea_cli.output.human import details as views_details
from krea_cli.output.human import jobs as views_jobs
from krea_cli.output.human import saved as views_saved
from krea_cli.output.human import topics as views_topics
from krea_cli.output.human.jobs import minute, status
from krea_cli.output.human.layout import GAP, HintLine, Parts, WrappedLine, words
from krea_cli.output.human.responsive_table import ResponsiveTable
from krea_cli.output.results.jobs import (
    DryRun,
    JobStatus,
    JobSubmitted,
    JobUrls,
    Uploaded,
)
from krea_cli.output.results.settings import (
    ConfigPath,
    Setting,
    SettingValue,
    TokenStatus,
)


@singledispatch
def view(first: Any, results: Sequence[Any]) -> Parts:
    """
    What to draw for results of one kind, part by part; *first* is the first of them.
    """
    raise NotImplementedError(f"no view for {type(first).__name__}")


@view.register
def _statuses(_: JobStatus, results: Sequence[JobStatus]) -> Parts:
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
    yield ResponsiveTable(titles, rows, gives_way=("MODEL", "CREATED"))
    for job in jobs:
        if job.error:
            reason = collapse_whitespace(job.error.message, 200)
            yield words(
                f"{collapse_whitespace(job.job_id)}: {reason}", "red", hanging=GAP
            )


@view.register
def _accepted(_: JobSubmitted, results: Sequence[JobSubmitted]) -> Parts:
    for result in results:
        job = result.job
        yield WrappedLine(
            [status(job.status), Text(collapse_whitespace(job.job_id))], hanging=GAP
        )
        collect = f"collect it with: {single_line(result.collect)}"
        yield HintLine(collect, "dim", indent=GAP)


@view.register
def _urls(_: JobUrls, results: Sequence[JobUrls]) -> Parts:
    return (
        Text(collapse_whitespace(url)) for result in results for url in result.plain
    )


@view.register
def _settings(_: Setting, results: Sequence[Setting]) -> Parts:
    rows = [
        (
            Text(setting.key),
            Text(collapse_whitespace(setting.text)),
            Text(collapse_whitespace(setting.source), "dim"),
        )
        for setting in results
    ]
    return (ResponsiveTable(("SETTING", "VALUE", "FROM"), rows),)


@view.register
def _value(_: SettingValue, results: Sequence[SettingValue]) -> Parts:
    return (Text(collapse_whitespace(setting.text)) for setting in results)


@view.register
def _config_path(_: ConfigPath, results: Sequence[ConfigPath]) -> Parts:
    for place in results:
        absent = "" if place.exists else "  (none yet)"
        yield Text.assemble(single_line(place.path), (absent, "dim"))


@view.register
def _token(_: TokenStatus, results: Sequence[TokenStatus]) -> Parts:
    rows = list[tuple[Text, Text, Text]]()
    for token in results:
        source = Text(token.source or "nowhere", "green" if token.source else "red")
        backend = Text(collapse_whitespace(token.backend or ""), "dim")
        rows.append((source, Text(collapse_whitespace(token.origin)), backend))
        for shadowed in token.shadows:
            hidden = Text(f"hides {collapse_whitespace(shadowed)}", "dim")
            rows.append((hidden, Text(), Text()))
    return (ResponsiveTable(("TOKEN FROM", "FOR", "KEYRING"), rows),)


@view.register
def _uploaded(_: Uploaded, results: Sequence[Uploaded]) -> Parts:
    return [
        WrappedLine(
            [
                Text(collapse_whitespace(result.asset.url)),
                Text(collapse_whitespace(result.name), "dim"),
            ],
            hanging=GAP,
        )
        for result in results
    ]


@view.register
def _dry_run(_: DryRun, results: Sequence[DryRun]) -> Parts:
    return (
        Text(escape_control_chars(line)) for result in results for line in result.plain
    )


view.register(views_saved.saved)
view.register(models.rows)
view.register(models.details)
view.register(models.changes)
view.register(views_jobs.rows)
view.register(views_details.details)
view.register(views_costs.costs)
view.register(views_jobs.in_doubt)
view.register(views_jobs.forgotten)
view.register(checks.findings)
view.register(sandbox.serving)
view.register(sandbox.emptied)
view.register(views_topics.topics)
