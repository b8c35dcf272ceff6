"""
Choose how results are drawn, and draw everything except jobs and models.

Text from other sources is passed as `Text`, never as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from krea_cli.output.escape import (
    collapse_whitespace,
    escape_control_chars,
    single_line,
)
from krea_cli.output.human import account, jobs, models
from krea_cli.output.human.layout import (
    GAP,
    HintLine,
    Parts,
    ResponsiveTable,
    WrappedLine,
    wrap_sentence,
)
from krea_cli.output.results.batch import (
    BatchItem,
    DeletedFile,
    ManifestSchema,
    PlannedItem,
)
from krea_cli.output.results.checks import CheckResult
from krea_cli.output.results.dry_run import DryRun
from krea_cli.output.results.jobs import JobUrls, Topic, Uploaded
from krea_cli.output.results.sandbox import SandboxReset, SandboxStarted
from krea_cli.output.results.settings import (
    ConfigPath,
    Setting,
    SettingValue,
    TokenStatus,
)

_SIGN_STYLES = {"+": "green", "~": "yellow", "!": "red", "?": "yellow", "x": "red"}


@singledispatch
def view(first: Any, results: Sequence[Any]) -> Parts:
    """
    Draw results of the same type. `first` is the first of them.
    """
    raise NotImplementedError(f"no view for {type(first).__name__}")


@view.register
def _plan(_: PlannedItem, results: Sequence[PlannedItem]) -> Parts:
    if results[0].is_bare:
        yield from _lines(_, results)
        return
    rows = [
        (
            Text(result.sign, _SIGN_STYLES.get(result.sign, "")),
            Text(collapse_whitespace(result.output)),
            Text(collapse_whitespace(result.action), "dim"),
            Text(result.price),
        )
        for result in results
    ]
    yield ResponsiveTable((" ", "FILE", "TO DO", "PRICE"), rows, right="PRICE")
    for result in results:
        if result.error:
            yield wrap_sentence(collapse_whitespace(result.error), "red", hanging=GAP)


@view.register(BatchItem)
@view.register(DeletedFile)
@view.register(ManifestSchema)
def _lines(_: Any, results: Sequence[Any]) -> Parts:
    return (Text(line) for result in results for line in result.plain)


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
    return (ResponsiveTable(("SETTING", "VALUE", "SOURCE"), rows),)


@view.register
def _value(_: SettingValue, results: Sequence[SettingValue]) -> Parts:
    return (Text(collapse_whitespace(setting.text)) for setting in results)


@view.register
def _config_path(_: ConfigPath, results: Sequence[ConfigPath]) -> Parts:
    for place in results:
        absent = "" if place.exists else "  (not created yet)"
        yield Text.assemble(single_line(place.path), (absent, "dim"))


@view.register
def _token(_: TokenStatus, results: Sequence[TokenStatus]) -> Parts:
    rows = list[tuple[Text, Text, Text]]()
    for token in results:
        source = Text(token.source or "none", "green" if token.source else "red")
        backend = Text(collapse_whitespace(token.backend or ""), "dim")
        rows.append((source, Text(collapse_whitespace(token.origin)), backend))
        for shadowed in token.shadows:
            hidden = Text(f"overrides {collapse_whitespace(shadowed)}", "dim")
            rows.append((hidden, Text(), Text()))
    return (ResponsiveTable(("SOURCE", "API", "KEYRING"), rows),)


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


_CHECK_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}
_MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}
# Shown to people instead of the JSON value.
_STATES = {"fault": "problem"}
# Widths of the longest status with its mark, and of the longest check.
_STATE, _CHECK = 9, 12
# If the message has less room, it gets its own line.
_MIN_WORDS = 39


@view.register
def _findings(_: CheckResult, results: Sequence[CheckResult]) -> Parts:
    """
    Draw a line for each check, followed by its hints, unwrapped for copying.
    """
    for result in results:
        yield _CheckLine(result)
        for hint in (result.hint or "").splitlines():
            yield HintLine(single_line(hint), label=("hint: ", "cyan"), indent=GAP)


class _CheckLine:
    """
    Draw status, check and message side by side, or stacked if there is no room.
    """

    def __init__(self, finding: CheckResult) -> None:
        self._finding = finding

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Parts:
        finding = self._finding
        is_utf = console.encoding.startswith("utf")
        mark = f"{_MARKS[finding.state]} " if is_utf else ""
        word = _STATES.get(finding.state, finding.state)
        state = Text(f"{mark}{word}", _CHECK_STYLES[finding.state])
        label = finding.label
        message = collapse_whitespace(finding.message)
        room = options.max_width - _STATE - _CHECK - 2 * GAP
        longest = max(cell_len(word) for word in message.split(" "))
        if room < max(_MIN_WORDS, longest):
            yield WrappedLine([state, Text(label)], hanging=GAP)
            yield wrap_sentence(message, indent=GAP)
            return
        table = Table.grid(padding=(0, GAP, 0, 0))
        table.add_column(width=_STATE, no_wrap=True)
        table.add_column(width=_CHECK, no_wrap=True)
        table.add_column()
        table.add_row(state, label, Text(message))
        yield table


@view.register
def _serving(_: SandboxStarted, results: Sequence[SandboxStarted]) -> Parts:
    """
    Show the address, and a command for each use.
    """
    for result in results:
        yield Text.assemble(
            "Sandbox running at ",
            (result.url, "bold"),
            ". Any token works. Stop it with Ctrl-C.",
        )
        for purpose, command in result.uses:
            yield Text.assemble((f"  {purpose:<14}", "dim"), command)


@view.register
def _emptied(_: SandboxReset, results: Sequence[SandboxReset]) -> Parts:
    """
    Report how much was deleted.
    """
    for result in results:
        jobs = "1 job" if result.jobs == 1 else f"{result.jobs} jobs"
        yield Text(f"Deleted {jobs} and all uploads and results of the sandbox.")


@view.register
def _topics(_: Topic, results: Sequence[Topic]) -> Parts:
    from krea_cli.output.human.topic_text import markdown

    return (markdown(result.text) for result in results)


for draw in (
    account.styles,
    account.style_details,
    account.trained,
    account.assets,
    account.deleted,
    jobs.rows,
    jobs.statuses,
    jobs.submitted,
    jobs.details,
    jobs.saved,
    jobs.costs,
    jobs.unconfirmed,
    jobs.deleted,
    models.rows,
    models.details,
    models.changes,
):
    view.register(draw)
