"""
Match the regular expressions of an API description in linear time.

The patterns come from the network, and Python's `re` can take forever on some. This
matcher follows all paths through the pattern at once. It supports the syntax on which
JavaScript and Python agree: literals, classes, groups, alternatives, repeats, and `^`
and `$` for the start and end of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

# Far more states than reasonable patterns have, and still fast to match.
_MAX_STATES = 2_000
_LONGEST = 1_000
_DEEPEST = 50

_CLASS = re.compile(r"\[\^?(?:\\.|[^\]\\])+\]", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:[dDwWsSnrtfv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^A-Za-z0-9])"
)
_REPEAT = re.compile(r"([*+?])|\{([0-9]{1,4})(,?)([0-9]{0,4})\}")
# Python treats these as set operators inside a class, or warns about them.
_AMBIGUOUS_IN_CLASS = re.compile(r"\[|--|&&|~~|\|\||\\[bBpPkcu]|\\[0-9]")


class _UnsupportedError(Exception):
    """The pattern uses something that this module does not evaluate."""


@dataclass(slots=True)
class _State:
    """
    A step of the automaton: a test of one character, or free moves to other states.
    """

    test: Callable[[str], bool] | None = None
    anchor: str = ""
    moves: tuple[int, ...] = ()


class Pattern:
    """
    A pattern to be found anywhere in a text, as JSON Schema defines.
    """

    def __init__(self, states: list[_State], start: int, end: int) -> None:
        self._states = states
        self._start = start
        self._end = end

    def search(self, text: str) -> bool:
        current: set[int] = set()
        for at in range(len(text) + 1):
            current = self._closure({*current, self._start}, at, len(text))
            if self._end in current:
                return True
            if at == len(text):
                break
            current = {
                self._states[index].moves[0]
                for index in current
                if (test := self._states[index].test) and test(text[at])
            }
        return False

    def _closure(self, states: Iterable[int], at: int, length: int) -> set[int]:
        found: set[int] = set()
        waiting = list(states)
        while waiting:
            index = waiting.pop()
            state = self._states[index]
            if index in found or (state.anchor == "^" and at):
                continue
            if state.anchor == "$" and at < length:
                continue
            found.add(index)
            if state.test is None:
                waiting += state.moves
        return found


@lru_cache(maxsize=256)
def compile_pattern(source: str) -> Pattern | None:
    """
    Compile the pattern. Return None if it uses unsupported syntax.
    """
    if len(source) > _LONGEST:
        return None
    try:
        return _Parser(source).parse()
    except _UnsupportedError:
        return None


class _Parser:
    """
    Builds the automaton while parsing a pattern.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._depth = 0
        self._states: list[_State] = []

    def parse(self) -> Pattern:
        start, end = self._alternatives()
        if self._at < len(self._source):
            raise _UnsupportedError
        return Pattern(self._states, start, end)

    def _add(self, state: _State) -> int:
        if len(self._states) >= _MAX_STATES:
            raise _UnsupportedError
        self._states.append(state)
        return len(self._states) - 1

    def _link(self, index: int, *targets: int) -> None:
        self._states[index].moves += targets

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]

    def _alternatives(self) -> tuple[int, int]:
        start, end = self._add(_State()), self._add(_State())
        while True:
            first, last = self._sequence()
            self._link(start, first)
            self._link(last, end)
            if self._peek() != "|":
                return start, end
            self._at += 1

    def _sequence(self) -> tuple[int, int]:
        start = last = self._add(_State())
        while self._peek() not in ("", "|", ")"):
            first, end = self._repeated()
            self._link(last, first)
            last = end
        return start, last

    def _repeated(self) -> tuple[int, int]:
        begin = self._at
        part = self._atom()
        after = self._at
        match = _REPEAT.match(self._source, self._at)
        if match is None:
            return part
        if match[1]:
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[match[1]]
        else:
            least = int(match[2])
            most = (int(match[4]) if match[4] else None) if match[3] else least
        if most is not None and most < least:
            raise _UnsupportedError
        following = match.end()
        if self._source[following : following + 1] == "?":  # lazy: matches the same
            following += 1
        if _REPEAT.match(self._source, following):
            raise _UnsupportedError

        def again() -> tuple[int, int]:
            self._at = begin
            copy = self._atom()
            if self._at != after:
                raise _UnsupportedError
            return copy

        result = self._repeat(part, again, least, most)
        self._at = following
        return result

    def _repeat(
        self,
        part: tuple[int, int],
        again: Callable[[], tuple[int, int]],
        least: int,
        most: int | None,
    ) -> tuple[int, int]:
        start, end = self._add(_State()), self._add(_State())
        last = start
        for count in range(max(least, 1) if most is None else most):
            first, part_end = part if count == 0 else again()
            self._link(last, first)
            if count >= least:
                self._link(last, end)
            last = part_end
        self._link(last, end)
        if most is None:
            self._link(last, part[0] if least <= 1 else self._loop(again, last))
        return start, end

    def _loop(self, again: Callable[[], tuple[int, int]], last: int) -> int:
        first, end = again()
        self._link(end, last)
        return first

    def _atom(self) -> tuple[int, int]:
        char = self._peek()
        if char == "(":
            return self._group()
        if char in ("^", "$"):
            self._at += 1
            if _REPEAT.match(self._source, self._at):
                raise _UnsupportedError
            index = self._add(_State(anchor=char))
            return index, index
        if char == "[":
            return self._class()
        if char == "\\":
            match = _ESCAPE.match(self._source, self._at)
            if match is None:
                raise _UnsupportedError
            return self._character(match[0])
        if char in "*+?{":
            raise _UnsupportedError
        return self._character("." if char == "." else re.escape(char), len(char))

    def _class(self) -> tuple[int, int]:
        match = _CLASS.match(self._source, self._at)
        if match is None or _AMBIGUOUS_IN_CLASS.search(match[0], 1):
            raise _UnsupportedError
        return self._character(match[0])

    def _character(self, source: str, length: int | None = None) -> tuple[int, int]:
        self._at += len(source) if length is None else length
        try:
            test = re.compile(source, re.ASCII).fullmatch
        except re.error as exc:
            raise _UnsupportedError from exc
        end = self._add(_State())
        start = self._add(_State(test=lambda char: test(char) is not None))
        self._link(start, end)
        return start, end

    def _group(self) -> tuple[int, int]:
        self._at += 1
        if self._source.startswith("?:", self._at):
            self._at += 2
        elif self._peek() == "?":
            raise _UnsupportedError
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _UnsupportedError
        part = self._alternatives()
        self._depth -= 1
        if self._peek() != ")":
            raise _UnsupportedError
        self._at += 1
        return part
