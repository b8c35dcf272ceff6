"""
List the entries that a group is repeated for: the files of a glob or the rows of a
table.
"""

from __future__ import annotations

import glob
import json
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from krea_cli.batch import tables
from krea_cli.batch.problems import COMMAND_LINE, Position, Problems
from krea_cli.files.regular_file import read_regular
from krea_cli.media import of_extension
from krea_cli.runtime.user_paths import local_path

FILE_WORDS = ("stem", "name", "ext", "path")
_IN_GLOB = "*?["


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    A file or a table row that a group is repeated for.

    `words` are the texts that replace words in braces. `cells` are the values of a row
    as the table has them. `image` is the path of a file, or None for a row.
    """

    position: Position | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None

    @property
    def label(self) -> str:
        """
        Return the file name or the first cell, which may be empty.
        """
        if self.image is not None:
            return self.words["name"]
        return next(iter(self.words.values()), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """
    The entries of a group.

    `columns` are the columns of a table, or None for files. `header` is the position of
    its header row. If `is_read` is false, the table could not be read, so the texts
    that use it cannot be checked.
    """

    entries: Sequence[Entry]
    columns: Sequence[str] | None = None
    header: Position | None = None
    is_read: bool = True


UNREAD = Entries(entries=(), is_read=False)
ONE = Entries(entries=(Entry(),))


def entries_of(
    each: str,
    folder: Path,
    position: Position,
    problems: Problems,
    *,
    shown: Callable[[str], str] = str,
) -> Entries:
    """
    Return the files or rows that `each` names: a table, a file or a glob, relative to
    `folder`.

    `shown` returns the name of a table for messages. An unreadable table and a glob
    without files are added to `problems`.
    """
    place = folder / local_path(each)
    if tables.is_table(each):
        return table_entries(place, shown(local_path(each)), position, problems)
    found = matching_files(each, folder)
    if not found:
        hint = ""
        if not any(character in each for character in _IN_GLOB):
            hint = f"All files of a folder: {each.rstrip('/')}/*"
        problems.add(position, f"No file matches '{each}'.", hint)
    return Entries(entries=file_entries(found, problems))


def table_entries(
    path: Path, name: str, position: Position, problems: Problems
) -> Entries:
    """
    Return the rows of a table on disk, or `UNREAD` if it cannot be read.
    """
    try:
        data = read_regular(path, tables.MAX_BYTES)
    except OSError as exc:
        problems.add(position, f"Cannot read {name}: {exc.strerror or exc}.")
        return UNREAD
    return rows_of(data, name, problems)


def rows_of(data: bytes, name: str, problems: Problems) -> Entries:
    """
    Return the rows of a table, or `UNREAD` if it cannot be read.

    The extension of `name` determines the format; "-" stands for JSON lines from
    standard input.
    """
    if len(data) > tables.MAX_BYTES:
        problems.add(Position(name), "The table is larger than 64 MiB.")
        return UNREAD
    if name == "-" and not data.strip():
        problems.add(
            COMMAND_LINE,
            "Standard input is empty.",
            'It needs a JSON object in each line, such as {"prompt": "an owl"}',
        )
        return UNREAD
    table = tables.read_table(data, name, problems)
    if table is None:
        return UNREAD
    return Entries(
        entries=[_row_entry(row, table.columns) for row in table.rows],
        columns=table.columns,
        header=table.header,
    )


def matching_files(pattern: str, folder: Path) -> list[str]:
    """
    Return the files that a glob matches, in the same order on every system.

    Paths are relative to `folder`, unless the glob is absolute. Hidden files match only
    if the glob contains their dot. An existing file with the name of the glob is the
    only match.
    """
    pattern = local_path(pattern)
    if (folder / pattern).is_file():
        return [pattern]
    # `Path.glob` rejects absolute patterns, and includes hidden files.
    found = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207
    return sorted(
        (path for path in found if (folder / path).is_file()),
        key=lambda path: unicodedata.normalize("NFC", path),
    )


def folder_files(folder: Path, kind: str) -> list[str]:
    """
    Return the sorted names of the files in a folder whose extension belongs to a kind
    of media, such as "image". Hidden files are left out.
    """
    names = [
        each.name
        for each in folder.iterdir()
        if not each.name.startswith(".")
        and (media := of_extension(each.suffix))
        and media.kind == kind
        and each.is_file()
    ]
    return sorted(names, key=lambda name: unicodedata.normalize("NFC", name))


def file_entries(paths: Iterable[str], problems: Problems) -> list[Entry]:
    found = []
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(path).decode(errors="backslashreplace")
            problems.add(Position(shown), "The file name is not UTF-8 text.")
            continue
        plain = unicodedata.normalize("NFC", PurePath(path).as_posix())
        name = PurePath(plain)
        words = {
            "stem": name.stem,
            "name": name.name,
            "ext": name.suffix.removeprefix(".").lower(),
            "path": plain,
        }
        found.append(Entry(words=words, image=path))
    return found


def _row_entry(row: tables.TableRow, columns: Sequence[str]) -> Entry:
    words = {column: text_of(row.cells.get(column)) for column in columns}
    return Entry(position=row.position, words=words, cells=row.cells)


def text_of(value: Any) -> str:
    """
    Return a cell as text: numbers and booleans as in JSON, None as an empty text.
    """
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
