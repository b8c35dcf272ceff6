"""
Parse a command line that is being typed, up to the cursor.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from krea_cli.cli.completion.grammar import Argument, CommandGrammar, Option, find

# Escape characters other than the backslash, and the quotes in which they work.
_ESCAPES = {"powershell": "`"}
_ESCAPED_QUOTES = {"fish": "\"'"}
_NOTHING = Argument(takes="", choices=(), repeats=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """
    A command line up to the cursor.

    - `word`: the text to complete, without quotes
    - `before`: text in front of it in the same argument, such as "--model="
    - `expects`: the option or argument whose value it is, or None if it is the name of
      an option or a command
    - `given`: values of the options so far, by their long names
    - `arguments`: the other arguments so far
    """

    command: CommandGrammar
    before: str
    word: str
    is_quoted: bool
    expects: Option | Argument | None
    given: dict[str, list[str]]
    arguments: list[str]


def parse(text: str, shell: str) -> Line:
    """
    Parse the line by the rules of the shell. The last quote may be open.
    """
    words, word, is_quoted = _split(text, shell)
    command, rest = find(words[1:])
    given: dict[str, list[str]] = {}
    pending: Option | None = None
    arguments: list[str] = []
    only_arguments = False
    for each in rest:
        if pending is not None:
            given.setdefault(pending.long, []).append(each)
            pending = None
        elif each == "--" and not only_arguments:
            only_arguments = True
        elif each.startswith("-") and len(each) > 1 and not only_arguments:
            pending = _option(command, each, given)
        else:
            arguments.append(each)
    expects: Option | Argument | None = pending
    if expects is None and (only_arguments or not word.startswith("-")):
        expects = _argument(command, len(arguments))
    if expects is None and only_arguments:
        expects = _NOTHING
    before = ""
    if pending is None and not only_arguments and (option := _joined(command, word)):
        name, _, word = word.partition("=")
        expects, before = option, f"{name}="
    return Line(
        command=command,
        before=before,
        word=word,
        is_quoted=is_quoted,
        expects=expects,
        given=given,
        arguments=arguments,
    )


def read_word(text: str, shell: str) -> str | None:
    """
    Return a word without its quotes and escapes, by the rules of the shell, or None if
    a quote is open.
    """
    _, word, is_quoted = _split(text, shell)
    return None if is_quoted else word


def _split(text: str, shell: str) -> tuple[list[str], str, bool]:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = _ESCAPES.get(shell, "\\")
    lexer.escapedquotes = _ESCAPED_QUOTES.get(shell, '"')
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:  # a quote is open
        return words, str(lexer.token), True
    is_escaped = text.endswith(f"{lexer.escape} ")
    is_new = not words or (text[-1:].isspace() and not is_escaped)
    return (words, "", False) if is_new else (words[:-1], words[-1], False)


def _option(
    command: CommandGrammar, text: str, given: dict[str, list[str]]
) -> Option | None:
    """
    Return the option whose value is the next word.
    """
    if text.startswith("--"):
        name, equals, value = text.partition("=")
    else:
        name, equals, value = text[:2], text[2:], text[2:]
    option = command.option(name)
    if option is None:
        return None
    if option.takes is None:
        given.setdefault(option.long, [])
        return None
    if not equals:
        return option
    given.setdefault(option.long, []).append(value)
    return None


def _joined(command: CommandGrammar, word: str) -> Option | None:
    """
    Return the option whose value is in the word itself, as in --model=VALUE.
    """
    name, equals, _ = word.partition("=")
    option = command.option(name) if equals and name.startswith("--") else None
    return option if option and option.takes is not None else None


def _argument(command: CommandGrammar, position: int) -> Argument | None:
    arguments = command.arguments
    if position < len(arguments):
        return arguments[position]
    return arguments[-1] if arguments and arguments[-1].repeats else None
