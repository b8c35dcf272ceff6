"""
Group options and commands by purpose in `--help`.

Typer groups them only with rich. Here the groups are plain sections, so that help does
not load rich and is the same in a pipe.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

# In the order of --help, after options without a group.
GROUPS = ("Input", "Request", "Output", "Waiting", "Money", "Connection")
_OWN = "Options"


class Command(TyperCommand):
    """
    A command that groups its options by `rich_help_panel`.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        records: list[tuple[str, tuple[str, str]]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                records.append((_group(param), record))
        _write(formatter, ("Arguments", _OWN, *GROUPS), records)


class Group(TyperGroup):
    """
    A group that groups its commands by `rich_help_panel`.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        records = []
        for name in self.list_commands(ctx):
            command = self.commands[name]
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            records.append((panel, (name, command.get_short_help_str(formatter.width))))
        _write(formatter, dict.fromkeys(panel for panel, _ in records), records)


def _group(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    # Typer adds --help itself, without a panel.
    usual = "Output" if param.name == "help" else _OWN
    return str(getattr(param, "rich_help_panel", None) or usual)


def _write(
    formatter: Any, titles: Iterable[str], records: list[tuple[str, tuple[str, str]]]
) -> None:
    """
    Write the records under their titles, in the order of `titles`. Skip titles without
    records.
    """
    for title in titles:
        rows = [record for group, record in records if group == title]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
