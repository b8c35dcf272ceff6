"""
Quote command lines for the user's shell, so that hints can be pasted.

On Windows the shell is PowerShell or cmd. Both understand double quotes. Around `$` and
backticks, where they differ, the quotes are those of PowerShell.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable

_PLAIN = r"[\w.:/\\=+-]+"


def join(words: Iterable[str]) -> str:
    """
    Join words to a command line.
    """
    return " ".join(map(quote, words))


def quote(word: str) -> str:
    """
    Quote a word if necessary.
    """
    if sys.platform != "win32":
        return shlex.quote(word)
    if re.fullmatch(_PLAIN, word):
        return word
    if re.search(r"[$`\"]", word):
        return "'" + word.replace("'", "''") + "'"
    # A backslash at the end would escape the closing quote.
    return '"' + re.sub(r"(\\+)$", r"\1\1", word) + '"'


def make_folder(path: str) -> str:
    """
    Return the command that creates a folder and its parents.
    """
    return f"mkdir {'' if sys.platform == 'win32' else '-p '}{quote(path)}"
