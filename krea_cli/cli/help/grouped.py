"""
How `--help` looks: options and commands under the names of what they are for.

Typer draws its panels with rich alone; here they are plain sections, so that help costs
nothing and reads the same in a pipe.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

# In the order of --help, after the options that are a command's own.
GROUPS = ("Input", "Request", "Output", "Waiting", "Money", "Connection")
_OWN = "Options"


class Command(TyperCommand):
    """
    A command whose options stand under their `rich_help_panel`.
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
    A group whose commands stand under their `rich_help_panel`, in order.
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
    The records under their titles, those in order; a title without any is left out.
    """
    for title in titles:
        rows = [record for group, record in records if group == title]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
