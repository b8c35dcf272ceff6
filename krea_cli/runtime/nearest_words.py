"""
Find the words that a user may have meant by one that is unknown.

A wrong suggestion is worse than none, so the limits are tight: "balance" is not near
"cancel", and no number stands for another one.
"""

from __future__ import annotations

from collections.abc import Iterable

# Of difflib.  A letter too many, too few, or two swapped in a word of four is as near.
_NEAR = 0.75
_SHORTEST_BEGINNING = 3


def nearest_words(word: str, known: Iterable[str], *, most: int = 1) -> list[str]:
    """
    Return the known words that begin with `word`, if they are no more than `most`; else
    up to `most` that are nearly spelled like it. Case does not matter, nor "-" for "_".
    """
    wanted = _folded(word)
    same = {_folded(each): each for each in known if _digits(each) == _digits(word)}
    longer = [each for folded, each in same.items() if folded.startswith(wanted)]
    is_beginning = len(wanted) >= _SHORTEST_BEGINNING or bool(_digits(word))
    if is_beginning and 1 <= len(longer) <= most:
        return longer
    from difflib import get_close_matches

    return [same[each] for each in get_close_matches(wanted, same, most, _NEAR)]


def _folded(word: str) -> str:
    return word.casefold().replace("-", "_")


def _digits(word: str) -> str:
    return "".join(filter(str.isdigit, word))
