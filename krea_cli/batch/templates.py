"""
Fill in texts with words in braces, such as "a photo of {name}".

A value is never parsed as a template: braces in a cell stay unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|\{")
_WORD = re.compile(r"\s*([^\s:{}](?:[^:{}]*[^\s:{}])?)\s*(?::0?([0-9]{1,2}))?")


@dataclass(frozen=True, slots=True)
class Word:
    """
    A word in braces. Numbers are padded with zeros to `width` digits.
    """

    name: str
    width: int = 0

    def text(self, value: str) -> str:
        return value.zfill(self.width) if value.lstrip("-").isdecimal() else value


@dataclass(frozen=True, slots=True)
class Template:
    """
    A parsed text. `pieces` are its words, and the literal texts between them.
    """

    pieces: tuple[str | Word, ...]

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, text: str) -> Template:
        """
        Parse a text with words in braces.

        Raises:
            ValueError: a brace stands alone, or has no name in it.
        """
        pieces: list[str | Word] = []
        at = 0
        for found in _PIECE.finditer(text):
            pieces.append(text[at : found.start()])
            at = found.end()
            pieces.append(_piece(found))
        pieces.append(text[at:])
        return cls(tuple(piece for piece in pieces if piece != ""))

    @property
    def names(self) -> list[str]:
        return [piece.name for piece in self.pieces if isinstance(piece, Word)]

    def fill(self, values: Mapping[str, str]) -> str:
        """
        Return the text with a value for each word.

        Raises:
            KeyError: a word has no value.
        """
        return "".join(
            piece.text(values[piece.name]) if isinstance(piece, Word) else piece
            for piece in self.pieces
        )


def names_in(text: str) -> list[str]:
    """
    Return the words of a text, or an empty list if the text is not a valid template.
    """
    try:
        return Template.parse(text).names
    except ValueError:
        return []


def _piece(found: re.Match[str]) -> str | Word:
    if found[0] in ("{{", "}}"):
        return found[0][0]
    word = _WORD.fullmatch(found[1] or "")
    if word is None:
        problem = "stands alone" if len(found[0]) == 1 else "is not a name in braces"
        raise ValueError(f"'{found[0]}' {problem}. Write {{{{ for a literal brace.")
    return Word(word[1], int(word[2] or 0))
