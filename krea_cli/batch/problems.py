"""
Collect the problems in a manifest and its tables, to report all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from krea_cli.errors import UsageError
from krea_cli.runtime.nearest_words import nearest_words

# The first problems show what is wrong. Thousands of lines would be unreadable.
MAX_SHOWN = 30


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """
    A place in a file: a line, or a row of a table. Number 0 is the whole file.
    """

    file: str
    number: int = 0
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.file}, {self.unit} {self.number}" if self.number else self.file


COMMAND_LINE = Position("The command line")


@dataclass(frozen=True, slots=True)
class Problem:
    """
    A problem to correct: its position, a message, and a hint.
    """

    position: Position
    message: str
    hint: str = ""

    def line(self, more: int = 0) -> str:
        """
        Return the problem with its position and its hint. `more` is the number of
        further places with the same problem.
        """
        if self.position == COMMAND_LINE:
            # The user has just typed the command, and needs no position.
            count = f" ({more + 1} items)" if more else ""
            text = f"{self.message.removesuffix('.')}{count}."
        else:
            count = f" (and {more} more)" if more else ""
            text = f"{self.position}{count}: {self.message}"
        return f"{text} {self.hint}" if self.hint else text


class ManifestError(UsageError):
    """
    A manifest or a table has problems. If there are several, `details` has a line for
    each.
    """

    code = "manifest"


@dataclass(slots=True)
class Problems:
    """
    The problems found so far. A repeated problem is kept once, with its count.
    """

    found: list[Problem] = field(default_factory=list)
    _repeated: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def add(self, position: Position, message: str, hint: str = "") -> None:
        same = (position.file, message, hint)
        if same in self._repeated:
            self._repeated[same] += 1
            return
        self._repeated[same] = 0
        self.found.append(Problem(position, message, hint))

    @property
    def total(self) -> int:
        """
        Return the number of problems, including repetitions.
        """
        return len(self.found) + sum(self._repeated.values())

    def __bool__(self) -> bool:
        return bool(self.found)

    def raise_if_any(self) -> None:
        """
        Raise an error that lists all problems, if there are any.

        Raises:
            ManifestError: at least one problem was added.
        """
        if not self.found:
            return
        lines = [self._line(problem) for problem in sorted(self.found, key=_order)]
        if len(lines) == 1:
            problem = self.found[0]
            message = lines[0].removesuffix(f" {problem.hint}")
            raise ManifestError(message, hint=problem.hint or None)
        files = list(dict.fromkeys(problem.position.file for problem in self.found))
        where = [
            "on the command line" if each == COMMAND_LINE.file else f"in {each}"
            for each in files
        ]
        more = len(lines) - MAX_SHOWN
        shown = lines[:MAX_SHOWN] + ([f"... and {more} more"] if more > 0 else [])
        raise ManifestError(
            f"Nothing was submitted: {len(lines)} problems {' and '.join(where)}.",
            details=shown,
        )

    def _line(self, problem: Problem) -> str:
        same = (problem.position.file, problem.message, problem.hint)
        return problem.line(self._repeated[same])


def suggest(name: str, known: Iterable[str]) -> str:
    """
    Return a question whether the known name nearest to `name` was meant, or "" if none
    is near.
    """
    near = nearest_words(name, known)
    return f"Did you mean '{near[0]}'?" if near else ""


def _order(problem: Problem) -> tuple[str, int]:
    return problem.position.file, problem.position.number
