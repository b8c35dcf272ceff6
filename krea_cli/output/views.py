"""
How results look to a person, part by part.  One of the homes of rich.

Text of foreign origin comes in as `Text`, never as markup (hazard T2).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from rich.text import Text

from krea_cli.output import (
    views_costs,
    views_details,
    views_findings,
    views_jobs,
    views_models,
    views_sandbox,
    views_saved,
    views_topics,
)
from krea_cli.output.flow import GAP, Advice, Flow, Parts, words
from krea_cli.output.results import (
    DryRun,
    JobAccepted,
    JobStatus,
    JobUrls,
    Uploaded,
)
from krea_cli.output.setting_results import (
    ConfigPath,
    Setting,
    SettingValue,
    TokenStatus,
)
from krea_cli.output.sheet import Sheet
from krea_cli.output.terminal import one_line, safe, unbroken
from krea_cli.output.views_jobs import minute, status


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
            Text(one_line(job.job_id)),
            status(job.status),
            Text(one_line(job.model or ""), "dim"),
            minute(job.created_at),
        )
        for job in jobs
    ]
    titles = ("JOB", "STATUS", "MODEL", "CREATED")
    yield Sheet(titles, rows, gives_way=("MODEL", "CREATED"))
    for job in jobs:
        if job.error:
            reason = one_line(job.error.message, 200)
            yield words(f"{one_line(job.job_id)}: {reason}", "red", hanging=GAP)


@view.register
def _accepted(_: JobAccepted, results: Sequence[JobAccepted]) -> Parts:
    for result in results:
        job = result.job
        yield Flow([status(job.status), Text(one_line(job.job_id))], hanging=GAP)
        collect = f"collect it with: {unbroken(result.collect)}"
        yield Advice(collect, "dim", indent=GAP)


@view.register
def _urls(_: JobUrls, results: Sequence[JobUrls]) -> Parts:
    return (Text(one_line(url)) for result in results for url in result.plain)


@view.register
def _settings(_: Setting, results: Sequence[Setting]) -> Parts:
    rows = [
        (
            Text(setting.key),
            Text(one_line(setting.text)),
            Text(one_line(setting.source), "dim"),
        )
        for setting in results
    ]
    return (Sheet(("SETTING", "VALUE", "FROM"), rows),)


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
    rows = list[tuple[Text, Text, Text]]()
    for token in results:
        source = Text(token.source or "nowhere", "green" if token.source else "red")
        backend = Text(one_line(token.backend or ""), "dim")
        rows.append((source, Text(one_line(token.origin)), backend))
        for shadowed in token.shadows:
            hidden = Text(f"hides {one_line(shadowed)}", "dim")
            rows.append((hidden, Text(), Text()))
    return (Sheet(("TOKEN FROM", "FOR", "KEYRING"), rows),)


@view.register
def _uploaded(_: Uploaded, results: Sequence[Uploaded]) -> Parts:
    return [
        Flow(
            [Text(one_line(result.asset.url)), Text(one_line(result.name), "dim")],
            hanging=GAP,
        )
        for result in results
    ]


@view.register
def _dry_run(_: DryRun, results: Sequence[DryRun]) -> Parts:
    return (Text(safe(line)) for result in results for line in result.plain)


view.register(views_saved.saved)
view.register(views_models.rows)
view.register(views_models.details)
view.register(views_models.changes)
view.register(views_jobs.rows)
view.register(views_details.details)
view.register(views_costs.costs)
view.register(views_jobs.in_doubt)
view.register(views_jobs.forgotten)
view.register(views_findings.findings)
view.register(views_sandbox.serving)
view.register(views_sandbox.emptied)
view.register(views_topics.topics)
