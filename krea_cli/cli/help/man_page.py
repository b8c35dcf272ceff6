"""
Build the man page from the command tree and the help topics.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from krea_cli.cli.command_tree import COMMANDS, build
from krea_cli.cli.help import topics

Row = tuple[str, str]
# Versions of Typer differ in how they mark arguments and sets of values.
_MARKS = re.compile(r"[\[\]{}<>]")


def text() -> str:
    """
    Return the page for groff and mandoc. It has no date or version, so that it changes
    only with the commands.
    """
    program = get_command(build([]))
    commands = dict(_commands())
    rows = {words: _options(command) for words, command in commands.items()}
    counted = Counter(row for options in rows.values() for row in options)
    common = [row for row, times in counted.items() if times == len(commands)]
    lines = [
        '.\\" Made by: python -m krea_cli.cli.completion.build completions',
        ".TH KREA 1",
        ".SH NAME",
        f"krea, krea\\-cli \\- {_escape(_summary(program).rstrip('.'))}",
        ".SH SYNOPSIS",
        "\\fBkrea\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        *map(_escape, _description(program)),
        ".SH COMMANDS",
    ]
    for words, command in commands.items():
        own = [row for row in rows[words] if row not in common]
        lines += _section(words, command, own)
    lines += [".SH OPTIONS OF EVERY COMMAND", *_rows(common)]
    lines += [".SH OPTIONS WITHOUT A COMMAND"]
    lines += _rows([row for row in _options(program) if row not in common])
    for title, topic in (("EXIT STATUS", "exit-codes"), ("ENVIRONMENT", "environment")):
        lines += [f".SH {title}", *_verbatim(topics.text(topic))]
    lines += [".SH SEE ALSO", _escape("krea help scripting, https://docs.krea.ai")]
    return "\n".join(lines) + "\n"


def _description(program: Any) -> Iterator[str]:
    yield program.help
    yield "Results go to standard output, everything else to standard error."
    yield "With --sandbox, every command runs against a copy of the API here,"
    yield "without a token and without cost."


def _commands() -> Iterator[tuple[str, Any]]:
    """
    Yield each command that is not a group, with its full name.
    """
    for name in COMMANDS:
        tree: Any = get_command(build([name]))
        command = tree.commands[name]
        members = getattr(command, "commands", None)
        if members is None:
            yield name, command
        else:
            for member, each in members.items():
                yield f"{name} {member}", each


def _section(words: str, command: Any, options: list[Row]) -> list[str]:
    context = _context(command, f"krea {words}")
    arguments = [
        _argument(param, context)
        for param in command.get_params(context)
        if param.param_type_name == "argument" and not param.hidden
    ]
    usage = " ".join(["krea", words, "[OPTIONS]", *arguments])
    lines = [f".SS {_escape(usage)}"]
    for number, paragraph in enumerate(command.help.split("\n\n")):
        lines += [".PP"] if number else []
        # Marks a paragraph whose lines must not be wrapped.
        if paragraph.startswith("\b\n"):
            lines += _verbatim(paragraph[2:])
        else:
            lines += map(_escape, paragraph.split("\n"))
    return lines + _rows([*_records(command, context, "argument"), *options])


def _options(command: Any) -> list[Row]:
    return list(_records(command, _context(command, "krea"), "option"))


def _records(command: Any, context: Any, kind: str) -> Iterator[Row]:
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if param.param_type_name != kind or record is None:
            continue
        if kind == "argument":
            yield _argument(param, context), record[1]
        else:
            names, space, values = record[0].rpartition(" ")
            if "|" in values:
                values = f"<{_MARKS.sub('', values)}>"
            yield f"{names}{space}{values}", record[1]


def _argument(param: Any, context: Any) -> str:
    name = _MARKS.sub("", param.make_metavar(context))
    word = name.removesuffix("...")
    return name if param.required else name.replace(word, f"[{word}]")


def _context(command: Any, name: str) -> Any:
    settings = {"help_option_names": ["-h", "--help"], "terminal_width": 80}
    return command.context_class(command, info_name=name, **settings)


def _summary(command: Any) -> str:
    return str(command.get_short_help_str(100))


def _rows(rows: list[Row]) -> list[str]:
    found = []
    for name, about in rows:
        found += [".TP", f"\\fB{_escape(name)}\\fR", _escape(" ".join(about.split()))]
    return found


def _verbatim(block: str) -> list[str]:
    return [".nf", *map(_escape, block.split("\n")), ".fi"]


def _escape(line: str) -> str:
    """
    Escape text for groff.
    """
    safe = line.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{safe}" if safe[:1] in (".", "'") else safe
