"""
Read tables as spreadsheets and programs write them: CSV, TSV and JSON Lines.

A byte order mark, CRLF, empty lines and a missing final line break make no difference.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from krea_cli.batch.problems import Position, Problems
from krea_cli.errors import UsageError
from krea_cli.requests.param import parse_json

SUFFIXES = (".csv", ".tsv", ".jsonl")
# Tables of prompts are smaller. A larger file may be a photo with a wrong name.
MAX_BYTES = 64 * 2**20
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class TableRow:
    """
    The cells of one row by column name, without the empty ones.
    """

    position: Position
    cells: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table. `columns` are the column names in order, and `header` is their position.
    """

    header: Position
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


def is_table(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def read_table(data: bytes, name: str, problems: Problems) -> Table | None:
    """
    Read a table, and add its problems to `problems`. Return None if no row is usable.

    The extension of `name` decides about the format. The name "-" means JSON Lines from
    standard input.
    """
    # Cells may be as long as the table: the model decides how long a prompt may be.
    csv.field_size_limit(MAX_BYTES)
    text = _decode(data, name, problems)
    if text is None:
        return None
    if Path(name).suffix.lower() == ".jsonl" or name == "-":
        return _read_json_lines(text, name, problems)
    return _read_cells(text, name, problems)


def _decode(data: bytes, name: str, problems: Problems) -> str | None:
    hint = "Save it as UTF-8; spreadsheets call it 'CSV UTF-8'."
    if data.startswith(_UTF_16):
        problems.add(Position(name), "The table is UTF-16, not UTF-8.", hint)
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        problems.add(Position(name, line), "The table is not UTF-8 text.", hint)
        return None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        problems.add(Position(name, line), "The table has a null character.")
        return None
    return text


def _read_json_lines(text: str, name: str, problems: Problems) -> Table | None:
    name = "standard input" if name == "-" else name
    columns: dict[str, None] = {}
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        position = Position(name, number)
        try:
            value = parse_json(line, str(position))
        except (ValueError, RecursionError) as exc:
            problems.add(position, f"The line is not JSON: {exc}.")
            continue
        except UsageError as exc:
            problems.add(position, exc.message)
            continue
        if not isinstance(value, dict):
            problems.add(
                position,
                "The line is not a JSON object.",
                'Example: {"name": "owl", "prompt": "an owl"}',
            )
            continue
        columns.update(dict.fromkeys(value))
        cells = {key: each for key, each in value.items() if not _is_empty(each)}
        rows.append(TableRow(position, cells))
    return _checked(Table(Position(name), tuple(columns), tuple(rows)), problems)


def _read_cells(text: str, name: str, problems: Problems) -> Table | None:
    separator = _separator(text, name, problems)
    if separator is None:
        return None
    records = _records(_without_declaration(text), name, separator, problems)
    first = next(records, None)
    if first is None:
        problems.add(
            Position(name), "The table is empty.", "Begin with a row of column names."
        )
        return None
    header, names = first
    columns = tuple(cell.strip() for cell in names)
    if not _check_header(columns, header, problems):
        return None
    rows = []
    for position, cells in records:
        if len(cells) != len(columns):
            problems.add(
                position,
                f"The row has {_count(len(cells), 'cell')}; the header has "
                f"{_count(len(columns), 'column')}.",
                "Each row needs as many cells as the header. A cell that contains the "
                "separator needs double quotes.",
            )
            continue
        values = zip(columns, cells, strict=True)
        rows.append(
            TableRow(
                position,
                {column: cell for column, cell in values if not _is_empty(cell)},
            )
        )
    return _checked(Table(header, columns, tuple(rows)), problems)


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _checked(table: Table, problems: Problems) -> Table | None:
    if not table.rows and not problems:
        problems.add(
            Position(table.header.file), "The table has no rows below its header."
        )
    return table if table.rows else None


def _check_header(
    columns: Sequence[str], position: Position, problems: Problems
) -> bool:
    seen = set[str]()
    for column in columns:
        if not column:
            problems.add(position, "A column has no name.", "Name each column.")
            return False
        if column in seen:
            problems.add(position, f"The column '{column}' appears twice.")
            return False
        seen.add(column)
    return True


def _records(
    text: str, name: str, separator: str, problems: Problems
) -> Iterator[tuple[Position, list[str]]]:
    """
    Yield each row that is not empty. Rows are numbered as in a spreadsheet.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader, None)
        except csv.Error as exc:
            problems.add(
                Position(name, number, "row"),
                f"The row cannot be read: {exc}.",
                'Write a double quote within a quoted cell as "".',
            )
            return
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield Position(name, number, "row"), [_unified(cell) for cell in cells]


def _unified(cell: str) -> str:
    """
    Return the cell with Unix line breaks: a prompt must not depend on the system that
    saved the table.
    """
    return cell.replace("\r\n", "\n").replace("\r", "\n") if "\r" in cell else cell


def _separator(text: str, name: str, problems: Problems) -> str | None:
    """
    Return the separator of the cells: a tab in TSV, or the separator of the header in
    CSV, because spreadsheets write semicolons in many countries. Return None if the
    header could have several separators.
    """
    if Path(name).suffix.lower() == ".tsv":
        return "\t"
    if declared := _declared(text):
        return declared
    fitting = [each for each in _SEPARATORS if _width(text, each) > 1]
    if len(fitting) > 1:
        fitting = [each for each in fitting if _is_even(text, each)] or fitting
    if len(fitting) > 1:
        kinds = " or ".join(_SEPARATORS[each] for each in fitting)
        problems.add(
            Position(name, 1, "row"),
            f"Cannot tell whether cells are separated by {kinds}.",
            "Put cells that contain one of them in double quotes, or start the file "
            f"with a line such as sep={fitting[-1]}",
        )
        return None
    return fitting[0] if fitting else ","


def _declared(text: str) -> str | None:
    first = text.split("\n", 1)[0].rstrip("\r")
    is_declared = first[:4].lower() == "sep=" and first[4:] in _SEPARATORS
    return first[4:] if is_declared else None


def _without_declaration(text: str) -> str:
    """
    Return the text without the `sep=` line that spreadsheets understand. Its line break
    stays, so that rows keep their numbers.
    """
    return text[text.index("\n") :] if _declared(text) and "\n" in text else text


def _width(text: str, separator: str) -> int:
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return len(next((row for row in reader if any(row)), []))
    except csv.Error:
        return 0


def _is_even(text: str, separator: str) -> bool:
    """
    Return whether all rows have as many cells as the header.
    """
    try:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=separator, strict=True
        )
        return len({len(row) for row in reader if any(map(str.strip, row))}) == 1
    except csv.Error:
        return False


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
