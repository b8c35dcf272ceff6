"""
Suggest known words for an unknown one.

A wrong suggestion is worse than none, so the limits are strict: "balance" is not close
to "cancel", and numbers must be equal.
"""

from __future__ import annotations

from collections.abc import Iterable

# Cutoff for difflib.  It allows one letter more or less, or two swapped letters, in a
# word of four.
_NEAR = 0.75
_SHORTEST_BEGINNING = 3


def nearest_words(word: str, known: Iterable[str], *, limit: int = 1) -> list[str]:
    """
    Return the known words that begin with `word` if there are at most `limit`; else up
    to `limit` words with similar spelling. Ignore case, and treat "-" and "_" as equal.
    """
    wanted = _folded(word)
    same = {_folded(each): each for each in known if _digits(each) == _digits(word)}
    longer = [each for folded, each in same.items() if folded.startswith(wanted)]
    is_beginning = len(wanted) >= _SHORTEST_BEGINNING or bool(_digits(word))
    if is_beginning and 1 <= len(longer) <= limit:
        return longer
    from difflib import get_close_matches

    return [same[each] for each in get_close_matches(wanted, same, limit, _NEAR)]


def _folded(word: str) -> str:
    return word.casefold().replace("-", "_")


def _digits(word: str) -> str:
    return "".join(filter(str.isdigit, word))
