"""
Write the command tree to a file for completion, and the shell scripts and the man page
to FOLDER: `python -m krea_cli.cli.completion.build FOLDER`.

Completion reads the file because loading Typer and the commands takes too long.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from typer.main import get_command

from krea_cli.cli.command_tree import COMMANDS, build
from krea_cli.cli.completion import scripts
from krea_cli.cli.completion.grammar import FILE
from krea_cli.cli.help import man_page

MAN_PAGE = "krea.1"

# Typer adds this option at run time.
_HELP = {
    "names": ["--help", "-h"],
    "help": "Show this message and exit.",
    "takes": None,
    "choices": [],
}


def main() -> None:
    FILE.write_text(document(), "utf-8")
    folder = Path(sys.argv[1])
    for shell, name in scripts.NAMES.items():
        (folder / name).write_text(scripts.text(shell), "utf-8")
    (folder / MAN_PAGE).write_text(man_page.text(), "utf-8")


def document() -> str:
    """
    Build the grammar: the help text, the options and the arguments of each group and
    command.
    """
    found = {"": _described(get_command(build([])))}
    for name in COMMANDS:
        command: Any = get_command(build([name]))
        found |= _tree(name, command.commands[name])
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _tree(words: str, command: Any) -> dict[str, Any]:
    found = {words: _described(command)}
    for name, member in getattr(command, "commands", {}).items():
        found |= _tree(f"{words} {name}", member)
    return found


def _described(command: Any) -> dict[str, Any]:
    params = command.params
    options = [param for param in params if param.param_type_name == "option"]
    return {
        "help": command.get_short_help_str(100),
        "options": [*map(_option, options), _HELP],
        "arguments": [
            [
                param.metavar or param.human_readable_name,
                _choices(param),
                param.nargs < 0,
            ]
            for param in params
            if param.param_type_name == "argument"
        ],
    }


def _option(option: Any) -> dict[str, Any]:
    return {
        "names": [*option.opts, *(option.secondary_opts or ())],
        "help": option.help,
        "takes": None if option.is_flag else option.metavar or "",
        "choices": _shells(option) or _choices(option),
    }


def _shells(option: Any) -> list[str]:
    """
    Return the shells that --show-completion accepts. It reports others itself.
    """
    return list(scripts.NAMES) if "--show-completion" in option.opts else []


def _choices(param: Any) -> list[str]:
    return [str(choice) for choice in getattr(param.type, "choices", ())]


if __name__ == "__main__":
    main()
