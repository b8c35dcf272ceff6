"""
Words of a command line as the user's shell reads them, for hints that can be pasted.

On Windows that is PowerShell or cmd.  Double quotes mean the same to both; around `$`
and the backtick, where they do not, the quotes are those of PowerShell.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable

_PLAIN = re.compile(r"[\w.:/\\=+-]+")


def join(words: Iterable[str]) -> str:
    """
    Join words to a command line.
    """
    return " ".join(map(quote, words))


def quote(word: str) -> str:
    """
    Put quotes around a word, if it needs them.
    """
    if sys.platform != "win32":
        return shlex.quote(word)
    if _PLAIN.fullmatch(word):
        return word
    if re.search(r"[$`\"]", word):
        return "'" + word.replace("'", "''") + "'"
    # A backslash before the quote at the end would escape it.
    return '"' + re.sub(r"(\\+)$", r"\1\1", word) + '"'


def make_folder(path: str) -> str:
    """
    The command that makes a folder and those above it.
    """
    return f"mkdir {'' if sys.platform == 'win32' else '-p '}{quote(path)}"
