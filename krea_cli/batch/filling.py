"""
Fill in the words in the texts of an item.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from krea_cli.batch import output_names
from krea_cli.batch.entries import Entry, text_of
from krea_cli.batch.templates import Template
from krea_cli.downloads.filename_template import slugify
from krea_cli.runtime.json_tree import mapped

# Returns the extension of a model's results, or None if it is not known beforehand.
ExtensionOf = Callable[[str | None], str | None]


class Filler:
    """
    The values of one item, with words in braces filled in.

    `raw` are the keys whose values come from a cell: a cell is never a template.
    `unset` are the columns of fields whose cell is blank: as words, they stand for the
    manifest's value of the field. `number` is the value of `{index}`.
    """

    def __init__(
        self,
        entry: Entry,
        values: Mapping[str, Any],
        raw: Collection[str],
        unset: Collection[str],
        number: int,
        extension_of: ExtensionOf,
    ) -> None:
        self._extension_of = extension_of
        self._entry = entry
        self._values = values
        self._raw = raw
        self._unset = unset
        self._number = number
        self._open: list[str] = []

    def value(self, name: str) -> Any:
        return self.filled(name, self._values[name])

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._values.get(name, ())
        items = [value] if isinstance(value, str) else value
        return tuple(str(self.filled(name, item)) for item in items)

    def filled(self, name: str, value: Any) -> Any:
        """
        Return a value with the words in its texts filled in.

        Raises:
            ValueError: a word refers to itself, or `{ext}` is not known beforehand.
        """
        is_cell = name in self._raw
        if name == "image" and self._entry.image is not None:
            is_cell = is_cell or value == self._entry.image
        if is_cell:
            return value
        return mapped(
            value,
            lambda each: self._fill(each) if isinstance(each, str) else each,
        )

    def output(self, template: str, *, is_file: bool) -> str:
        """
        Return the output name, with each word made safe for a file name.

        With `is_file=True`, `{path}` keeps its folders.

        Raises:
            ValueError: a word is empty, or as `filled`.
        """

        def safe(word: str) -> str:
            text = self.word(word)
            if word == "path" and is_file:
                return output_names.safe_path(text)
            part = output_names.safe_part(text)
            if not part:
                raise ValueError(f"'{word}' is empty, and the output name needs it.")
            return part

        return Template.parse(template).fill(_Lookup(safe))

    def word(self, name: str) -> str:
        if name in self._entry.words and name not in self._unset:
            return self._entry.words[name]
        if name == "index":
            return str(self._number)
        if name == "slug":
            return slugify(str(self._field("prompt") or "").lower()) or "result"
        if name == "model":
            return str(self._field("model") or "").rpartition("/")[2]
        if name == "ext":
            return self._extension()
        return text_of(self._field(name))

    def _extension(self) -> str:
        model = self._field("model")
        extension = self._extension_of(model if isinstance(model, str) else None)
        if extension is None:
            raise ValueError("output: {ext} is not known beforehand for this model.")
        return extension

    def _field(self, name: str) -> Any:
        if name in self._open:
            raise ValueError(f"{{{name}}} refers to itself.")
        self._open.append(name)
        try:
            if name in self._values:
                return self.value(name)
            return self.filled(f"params.{name}", self._values["params"].get(name))
        finally:
            self._open.pop()

    def _fill(self, text: str) -> str:
        if "{" not in text and "}" not in text:
            return text
        return Template.parse(text).fill(_Lookup(self.word))


class _Lookup(dict[str, str]):
    def __init__(self, find: Callable[[str], str]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, name: str) -> str:
        return self._find(name)
