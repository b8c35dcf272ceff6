"""
Read the command tree from the file that `build` wrote.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("grammar.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """
    An option. `takes` is the name of its value, such as "MODEL", or None for a flag.
    """

    names: tuple[str, ...]
    help: str
    takes: str | None
    choices: tuple[str, ...]

    @property
    def long(self) -> str:
        return next(name for name in self.names if name.startswith("--"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """
    An argument. `takes` is the name of its value, such as "JOB". `repeats` is True if
    several are allowed.
    """

    takes: str
    choices: tuple[str, ...]
    repeats: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGrammar:
    """
    A command or a group. `members` are the commands of a group, with their help.
    """

    words: tuple[str, ...]
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    members: tuple[tuple[str, str], ...]

    def option(self, name: str) -> Option | None:
        return next((each for each in self.options if name in each.names), None)


def find(words: Sequence[str]) -> tuple[CommandGrammar, list[str]]:
    """
    Return the command at the start of a line, and the words after its name. Skip
    options before the name.
    """
    tree: dict[str, Any] = json.loads(FILE.read_bytes())
    name, rest = "", list(words)
    while rest and _members(tree, name):
        word = rest.pop(0)
        if not word.startswith("-"):
            name = f"{name} {word}".strip()
    if name not in tree:
        return CommandGrammar(words=(), options=(), arguments=(), members=()), rest
    return _command(tree, name), rest


def named(name: str) -> list[str]:
    """
    Return the full names of the commands with this last word that belong to a group.
    """
    tree = json.loads(FILE.read_bytes())
    return [words for words in tree if words.endswith(f" {name}")]


def _command(tree: dict[str, Any], name: str) -> CommandGrammar:
    data = tree[name]
    return CommandGrammar(
        words=tuple(name.split()),
        options=tuple(
            Option(
                names=tuple(option["names"]),
                help=option["help"],
                takes=option["takes"],
                choices=tuple(option["choices"]),
            )
            for option in data["options"]
        ),
        arguments=tuple(
            Argument(takes=metavar.strip("[]."), choices=tuple(choices), repeats=many)
            for metavar, choices, many in data["arguments"]
        ),
        members=tuple(
            (m, tree[f"{name} {m}".strip()]["help"]) for m in _members(tree, name)
        ),
    )


def _members(tree: dict[str, Any], name: str) -> list[str]:
    start = f"{name} " if name else ""
    found = [other[len(start) :] for other in tree if other and other.startswith(start)]
    return [member for member in found if " " not in member]
