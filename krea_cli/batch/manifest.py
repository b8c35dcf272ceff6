"""
Parse the manifest of a batch: a TOML file with defaults, a budget, and groups of
pictures.

All problems are collected with their lines, so that one run reports every mistake.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from krea_cli.batch.manifest_keys import (
    COMMAND_LINE,
    ITEM,
    RESERVED,
    WORD,
    Key,
    fault_of,
)
from krea_cli.batch.problems import Position, Problems, suggest
from krea_cli.batch.templates import names_in
from krea_cli.batch.toml_lines import KeyLines, KeyPath
from krea_cli.runtime.json_tree import leaves
from krea_cli.runtime.nearest_words import nearest_words

# Enough for a manifest that is written by hand or by a small program.
MAX_BYTES = 8 * 2**20
GROUPS = "pictures"
TABLES = ("defaults", "budget", "lock", GROUPS)
_ERROR_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)")
# Keys that a matrix can combine: all except the output name and the count.
MATRIX = {name: key for name, key in ITEM.items() if name not in ("output", "count")}


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureGroup:
    """
    One `[[pictures]]` table.

    `values` has the values of the items by key. `each` names the files or the table to
    repeat the group for. `matrix` lists the values to combine for each field. `faulty`
    are the keys without a usable value. `position_of` returns the position of a key.
    """

    values: Mapping[str, Any]
    each: str | None = None
    matrix: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    faulty: frozenset[str] = frozenset()
    position_of: Callable[[str], Position]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """
    A parsed manifest.

    `name` is the file name as shown to the user. `defaults` are the values for all
    groups; `faulty` are their keys without a usable value. `also` has the paths of
    other locks whose results can be used. Without `keeps_prompts`, the lock stores
    hashes instead of prompts.
    """

    name: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    faulty: frozenset[str] = frozenset()
    groups: tuple[PictureGroup, ...]
    budget_usd: float | None = None
    keeps_prompts: bool = True
    also: tuple[str, ...] = ()
    position_of: Callable[[str], Position] = lambda _: Position("the command line")


def parse_manifest(data: bytes, name: str, problems: Problems) -> Manifest | None:
    """
    Parse a manifest, and add its problems to `problems`. Return None if it is not UTF-8
    or not valid TOML.
    """
    text = _decode(data, name, problems)
    document = None if text is None else _load(text, name, problems)
    if text is None or document is None:
        return None
    return _Reader(name, KeyLines(text), problems).manifest(document)


def _decode(data: bytes, name: str, problems: Problems) -> str | None:
    try:
        # TOML allows both line endings. A lone \r stays, and tomllib rejects it.
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        problems.add(Position(name, line), "The manifest is not UTF-8 text.")
        return None


def _load(text: str, name: str, problems: Problems) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        found = _ERROR_PLACE.fullmatch(str(exc))
        reason = found[1] if found else str(exc)
        last = text.count("\n") + 1
        line = int(found[2] or last) if found else 0
        hint = ""
        if reason == "Cannot overwrite a value":
            reason = "The key is already set above"
        if "Invalid value" in reason:
            hint = 'Text needs quotes, such as model = "krea-2/large".'
        problems.add(
            Position(name, line), f"The line is not valid TOML: {reason}.", hint
        )
        return None


class _Reader:
    def __init__(self, name: str, lines: KeyLines, problems: Problems) -> None:
        self._name = name
        self._lines = lines
        self._problems = problems

    def manifest(self, document: Mapping[str, Any]) -> Manifest:
        for key in document:
            if key not in TABLES:
                self._report_table(key)
        defaults = self._table(document, "defaults")
        lock = self._table(document, "lock")
        values = self._values(defaults, ("defaults",))
        return Manifest(
            name=self._name,
            defaults=values,
            faulty=_faulty(defaults, values),
            groups=tuple(self._groups(document, values)),
            budget_usd=self._budget(self._table(document, "budget")),
            keeps_prompts=self._option(
                lock, ("lock", "prompts"), Key("bool", ""), default=True
            ),
            also=self._also(lock),
            position_of=lambda key: self._at(("defaults", key)),
        )

    def _report_table(self, key: str) -> None:
        position = self._at((key,))
        if key in ITEM:
            self._problems.add(
                position,
                f"'{key}' is outside of a table.",
                f"Put it below [defaults] or [[{GROUPS}]].",
            )
        elif key in COMMAND_LINE:
            self._report_command_line(position, key)
        else:
            self._problems.add(
                position,
                f"Unknown key '{key}'.",
                suggest(key, TABLES) or f"Use {_listed(TABLES)}.",
            )

    def _report_command_line(self, position: Position, key: str) -> None:
        self._problems.add(
            position,
            f"'{key}' cannot be set in a manifest.",
            f"Give it on the command line: {COMMAND_LINE[key]}",
        )

    def _at(self, path: KeyPath) -> Position:
        return Position(self._name, self._lines[path])

    def _table(self, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        value = document.get(name, {})
        if isinstance(value, dict):
            return value
        self._problems.add(
            self._at((name,)), f"'{name}' must be a table.", f"Write [{name}]."
        )
        return {}

    def _groups(
        self, document: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> Iterator[PictureGroup]:
        groups = document.get(GROUPS, [])
        if not isinstance(groups, list) or not all(
            isinstance(each, dict) for each in groups
        ):
            self._problems.add(
                self._at((GROUPS,)),
                f"'{GROUPS}' must be a list of tables.",
                f"Write [[{GROUPS}]], with two brackets.",
            )
            return
        if not groups:
            self._problems.add(
                Position(self._name),
                "The manifest has no pictures.",
                f"Add a table that starts with [[{GROUPS}]].",
            )
        for index, values in enumerate(groups):
            yield self._group(values, defaults, (GROUPS, index))

    def _group(
        self, table: Mapping[str, Any], defaults: Mapping[str, Any], path: KeyPath
    ) -> PictureGroup:
        own = {
            key: each for key, each in table.items() if key not in ("each", "matrix")
        }
        values = self._values(own, path, known=(*ITEM, "each", "matrix"))
        each = self._option(table, (*path, "each"), Key("text", ""), default=None)
        given = table.get("matrix", {})
        words = set(_words_in([own, defaults, given]))
        matrix = self._matrix(given, words, (*path, "matrix"))
        faulty = _faulty(own, values) | _faulty(_flat(given), matrix)
        if each is None and "each" in table:
            faulty |= {"each"}
        return PictureGroup(
            values=values,
            each=each,
            matrix=matrix,
            faulty=faulty,
            position_of=lambda key: self._at((*path, *key.split("."))),
        )

    def _values(
        self, table: Mapping[str, Any], path: KeyPath, known: Sequence[str] = ()
    ) -> dict[str, Any]:
        """
        Return the usable values of an item, and report the others as problems.
        """
        found = {}
        for name, value in table.items():
            position = self._at((*path, name))
            if name in COMMAND_LINE:
                self._report_command_line(position, name)
            elif name not in ITEM:
                hint = suggest(name, known or ITEM)
                hint = (
                    hint or f"To set a field of the model: params = {{ {name} = ... }}"
                )
                self._problems.add(position, f"Unknown key '{name}'.", hint)
            elif fault := fault_of(ITEM[name], value) or _unsendable(value):
                self._problems.add(position, f"{name} {fault}.")
            else:
                found[name] = value
        return found

    def _matrix(
        self, matrix: Any, words: Collection[str], path: KeyPath
    ) -> dict[str, Sequence[Any]]:
        """
        Return the usable lists of values by field or word, and report the others as
        problems. `words` are the words in braces in the texts of the group.
        """
        if not isinstance(matrix, dict):
            self._problems.add(
                self._at(path), "matrix must be a table.", "Write [pictures.matrix]."
            )
            return {}
        found: dict[str, Sequence[Any]] = {}
        for name, values in matrix.items():
            if name == "params" and isinstance(values, dict):
                for param, each in values.items():
                    key = f"params.{param}"
                    self._combine(found, key, each, (*path, name, param))
            elif name in MATRIX and name != "params":
                self._combine(found, name, values, (*path, name), MATRIX[name])
            elif name in words and name not in RESERVED and not suggest(name, MATRIX):
                self._combine(found, name, values, (*path, name), WORD)
            else:
                self._report_in_matrix(name, words, (*path, name))
        return found

    def _report_in_matrix(
        self, name: str, words: Collection[str], path: KeyPath
    ) -> None:
        fault = f"Unknown field '{name}' in matrix."
        hint = suggest(name, MATRIX)
        if name == "params":
            fault = "params in matrix must be a table."
            hint = "Example: params.creativity = [...]"
        elif not hint and name in RESERVED:
            fault = f"Unusable name '{name}' in matrix."
            hint = "Choose another word." if name in words else ""
        elif not hint:
            hint = f"To set a field of the model: params.{name} = [...]"
            if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
                hint += f"; to vary a text, write {{{name}}} in it."
        self._problems.add(self._at(path), fault, hint)

    def _combine(
        self,
        found: dict[str, Sequence[Any]],
        name: str,
        values: Any,
        path: KeyPath,
        key: Key | None = None,
    ) -> None:
        if not isinstance(values, list) or not values:
            self._problems.add(
                self._at(path),
                f"{name} in matrix must be a list of values.",
                f"Example: {name} = [...]",
            )
            return
        for index, value in enumerate(values):
            fault = (key and fault_of(key, value)) or _unsendable(value)
            if not fault and value in values[:index]:
                fault = "has the same value twice"
            if fault:
                self._problems.add(
                    self._at((*path, index)), f"{name} in matrix {fault}."
                )
                return
        found[name] = values

    def _budget(self, table: Mapping[str, Any]) -> float | None:
        self._check_keys(table, "budget", ["usd"])
        usd = table.get("usd")
        if usd is None:
            return None
        is_number = isinstance(usd, int | float) and not isinstance(usd, bool)
        if not is_number or not 0 <= usd < math.inf:
            self._problems.add(
                self._at(("budget", "usd")),
                "usd must be a number of US dollars.",
                "Example: usd = 5.00",
            )
            return None
        return float(usd)

    def _also(self, table: Mapping[str, Any]) -> tuple[str, ...]:
        self._check_keys(table, "lock", ["prompts", "also"])
        paths = self._option(table, ("lock", "also"), Key("texts", ""), default=[])
        return (paths,) if isinstance(paths, str) else tuple(paths)

    def _check_keys(
        self, table: Mapping[str, Any], name: str, known: Sequence[str]
    ) -> None:
        for key in table:
            if key not in known:
                self._problems.add(
                    self._at((name, key)),
                    f"Unknown key '{key}' in [{name}].",
                    suggest(key, known) or f"Use {_listed(known)}.",
                )

    def _option(
        self, table: Mapping[str, Any], path: KeyPath, key: Key, *, default: Any
    ) -> Any:
        name = str(path[-1])
        if name not in table:
            return default
        if fault := fault_of(key, table[name]):
            self._problems.add(self._at(path), f"{name} {fault}.")
            return default
        return table[name]


def _words_in(value: Any) -> Iterator[str]:
    for _, text in leaves(value):
        if isinstance(text, str):
            yield from names_in(text)


def _faulty(given: Mapping[str, Any], usable: Mapping[str, Any]) -> frozenset[str]:
    """
    Return the keys without a usable value. For an unknown key, include the known keys
    with a similar name: one of them was probably meant.
    """
    found = set[str]()
    for name in given.keys() - usable.keys():
        found |= {name, *nearest_words(name, (*ITEM, "each", "matrix"))}
    return frozenset(found)


def _flat(matrix: Any) -> Mapping[str, Any]:
    """
    Return the matrix of a document, with `params` flattened to `params.NAME`.
    """
    if not isinstance(matrix, dict):
        return {}
    params = matrix.get("params")
    if not isinstance(params, dict):
        return matrix
    rest = {name: each for name, each in matrix.items() if name != "params"}
    return {**rest, **{f"params.{name}": each for name, each in params.items()}}


def _unsendable(value: Any) -> str | None:
    """
    Return why a TOML value cannot be sent as JSON, or None if it can.
    """
    if isinstance(value, dict):
        return next(filter(None, map(_unsendable, value.values())), None)
    if isinstance(value, list):
        return next(filter(None, map(_unsendable, value)), None)
    if isinstance(value, float) and not math.isfinite(value):
        return "has a value that is inf or nan; use a finite number"
    if value is None or isinstance(value, str | int | float):
        return None
    return "has a date or a time, which needs quotes"


def _listed(names: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
