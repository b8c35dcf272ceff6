"""
Find the lines of the keys in a TOML document, which `tomllib` does not report.

The text must be valid TOML: parse it with `tomllib` first.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

# The keys and indexes that lead to a value, such as ("pictures", 0, "model").
KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\]|\\.)*"|\'[^\']*\'',
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}\n#]*")


class KeyLines:
    """
    The line numbers of keys, by path. A missing key has the line of its table.
    """

    def __init__(self, text: str) -> None:
        self._lines = _Scanner(text).scan()

    def __getitem__(self, path: KeyPath) -> int:
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line, self._counted = 1, 0
        self._lines: dict[KeyPath, int] = {}
        # The number of tables so far in each array of tables.
        self._counts: dict[KeyPath, int] = {}

    def scan(self) -> Mapping[KeyPath, int]:
        table: KeyPath = ()
        self._skip_blank()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip_blank()
        return self._lines

    def _header(self) -> KeyPath:
        is_array = self._text.startswith("[[", self._at)
        line = self._here()
        self._at += 2 if is_array else 1
        path = self._inside(self._key())
        self._at += 2 if is_array else 1
        if is_array:
            self._counts[path] = count = self._counts.get(path, 0) + 1
            self._lines.setdefault(path, line)
            path = (*path, count - 1)
        self._lines.setdefault(path, line)
        return path

    def _inside(self, keys: KeyPath) -> KeyPath:
        """
        Return the full path of a key. A key below an array of tables belongs to the
        last table of the array.
        """
        path: KeyPath = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return (*path, keys[-1])

    def _pair(self, table: KeyPath) -> None:
        line = self._here()
        keys = self._key()
        for count in range(1, len(keys) + 1):
            self._lines.setdefault((*table, *keys[:count]), line)
        self._at += 1  # the equals sign
        self._value((*table, *keys))

    def _key(self) -> KeyPath:
        keys: list[str] = []
        while True:
            self._skip_blank()
            found = _BARE_KEY.match(self._text, self._at)
            if found:
                keys.append(found[0])
            else:
                found = _STRING.match(self._text, self._at)
                assert found  # noqa: S101  (the text is valid TOML)
                keys.append(tomllib.loads(f"key = {found[0]}")["key"])
            self._at = found.end()
            self._skip_blank()
            if not self._text.startswith(".", self._at):
                return tuple(keys)
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        if self._text[self._at] == "[":
            self._items(path, "]")
        elif self._text[self._at] == "{":
            self._items(path, "}")
        else:
            found = _STRING.match(self._text, self._at)
            found = found or _PLAIN.match(self._text, self._at)
            self._at = found.end() if found else len(self._text)

    def _items(self, path: KeyPath, end: str) -> None:
        """
        Scan the values of an array or of an inline table.
        """
        self._at += 1
        index = 0
        self._skip_blank()
        while self._text[self._at] != end:
            if end == "]":
                self._lines.setdefault((*path, index), self._here())
                self._value((*path, index))
                index += 1
            else:
                self._pair(path)
            self._skip_blank()
            if self._text[self._at] == ",":
                self._at += 1
                self._skip_blank()
        self._at += 1

    def _skip_blank(self) -> None:
        if found := _BLANK.match(self._text, self._at):
            self._at = found.end()

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line
