"""
From a manifest to its items: one for each result that is to be made.

An item is what was asked for, in the user's words, with all braces filled in; no model
was looked at yet, and no input file was read.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from krea_cli.batch import output_names
from krea_cli.batch.entries import FILE_WORDS, ONE, Entries, Entry, text_of
from krea_cli.batch.manifest import Group, Manifest
from krea_cli.batch.manifest_keys import FIELDS, ITEM, MOST_ITEMS, converted, fault_of
from krea_cli.batch.problems import Position, Problems, suggest
from krea_cli.batch.templates import Template
from krea_cli.downloads.filename_template import clean
from krea_cli.requests.json_tree import leaves, mapped
from krea_cli.runtime.user_paths import local_path

# Known only when a job runs.
_LATE_WORDS = ("job_id", "date", "time")
# A web address or a data URI; one letter is a drive, and file: a path.
_ADDRESS = re.compile(r"\s*(?!file:)[a-z][a-z0-9+.-]+:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One result to make.

    *output* is as the user writes it, relative to the folder of the manifest.  *needs*
    has the items whose outputs this one takes as input, by the words that name them.
    *row* and *column* say where its result stands on a contact sheet.
    """

    position: Position
    output: str
    model: str | None = None
    prompt: str | None = None
    images: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    copy: int = 1
    expect: tuple[str, ...] = ()
    sidecar: bool = False
    quality_out: int | None = None
    max_size: str | None = None
    fit: bool = False
    inline: bool = False
    row: str = ""
    column: str = ""
    needs: Mapping[str, int] = field(default_factory=dict)
    # Texts that name files and come from a table.
    foreign_paths: tuple[str, ...] = ()


# Gives the files or rows that a group is repeated for.
ReadEntries = Callable[[str, Position], Entries]
ExtensionOf = Callable[[str | None], str | None]


def items_of(
    manifest: Manifest,
    read_entries: ReadEntries,
    folder: Path,
    problems: Problems,
    *,
    model_fields: Iterable[str] = (),
    extension_of: ExtensionOf = lambda _: None,
) -> list[Item]:
    """
    The items of a manifest in its order.  *model_fields* are names that a column may
    have because some model has such a field; *extension_of* gives the extension of a
    model's results where it is known beforehand.
    """
    known = frozenset(model_fields)
    items: list[Item] = []
    for group in manifest.groups:
        entries = ONE
        if group.each is not None:
            entries = read_entries(group.each, group.position_of("each"))
        items += _expanded(
            _Expansion(manifest, group, entries, known, extension_of, problems),
            MOST_ITEMS - len(items),
        )
    _check_outputs(items, problems)
    _check_foreign_paths(items, folder, problems)
    return _linked(items, folder, problems)


class _Expansion:
    """
    The items of one group.
    """

    def __init__(
        self,
        manifest: Manifest,
        group: Group,
        entries: Entries,
        model_fields: frozenset[str],
        extension_of: ExtensionOf,
        problems: Problems,
    ) -> None:
        self._manifest = manifest
        self._group = group
        self._entries = entries
        self._problems = problems
        self._model_fields = model_fields
        self._extension_of = extension_of
        defaults, own = manifest.defaults, group.values
        params = {**defaults.get("params", {}), **own.get("params", {})}
        self._values = {**defaults, **own, "params": params}
        self._position = group.position_of("")
        # A misspelled word makes its column look as if nothing used it.
        has_words = self._check_words()
        self._cell_fields = self._find_cell_fields() if has_words else {}
        self._is_sound = has_words and self._check_output()

    def items(self, most: int) -> Iterator[Item]:
        if not self._is_sound:
            return
        matrix = self._group.matrix
        index = itertools.count(1)
        for entry in self._entries.entries:
            cells = self._cells(entry)
            if cells is None:
                continue
            for combination in itertools.product(*matrix.values()):
                chosen = dict(zip(matrix, combination, strict=True))
                values = _merged(self._values, cells, chosen)
                count = values.get("count", 1)
                for copy in range(1, count + 1):
                    number = next(index)
                    if number > most:
                        self._problems.add(
                            self._position, f"There are more than {MOST_ITEMS:,} items."
                        )
                        return
                    item = self._item(entry, values, chosen, number, copy)
                    if item is not None:
                        yield item

    def leave_out(self, outputs: Collection[str]) -> bool:
        """
        Leave out the files that are among these outputs; whether there were any.
        """
        before = self._entries.entries
        entries = [
            entry
            for entry in before
            if entry.image is None or output_names.folded(entry.image) not in outputs
        ]
        self._entries = replace(self._entries, entries=entries)
        return len(entries) < len(before)

    def _find_cell_fields(self) -> Mapping[str, str]:
        """
        The columns that set a field, with the key of that field.
        """
        found = {}
        unknown = []
        words = set(self._used_words())
        for column in self._entries.columns or ():
            key = self._key_of(column)
            if key is None:
                if column not in words:
                    unknown.append(column)
                continue
            if key in {**self._group.values, **self._group.matrix}:
                if column not in words:
                    self._problems.add(
                        self._entries.header or self._position,
                        f"The column '{column}' and the manifest both set {key}.",
                        f"Use {{{column}}} in the manifest, or remove one of them.",
                    )
                continue
            default = self._manifest.defaults.get(key)
            if isinstance(default, str) and column in _names(default):
                continue  # the default is a text around the cell
            found[column] = key
        if unknown:
            self._report_columns(unknown)
        return found

    def _key_of(self, column: str) -> str | None:
        if column in ITEM and column != "params":
            return column
        name = column.removeprefix("params.")
        if name != column or name in self._model_fields:
            return f"params.{name}"
        return None

    def _report_columns(self, unknown: Sequence[str]) -> None:
        header = self._entries.header or self._position
        if len(unknown) == len(self._entries.columns or ()):
            self._problems.add(
                header,
                "The table seems to have no header row.",
                "Its first row names the columns, such as name,prompt",
            )
            return
        for column in unknown:
            self._report_column(header, column)

    def _report_column(self, header: Position, column: str) -> None:
        hint = suggest(column, [*ITEM, *self._used_words(), *self._model_fields])
        self._problems.add(
            header,
            f"The column '{column}' is neither a field nor a {{word}} in a text.",
            hint or "Remove it, or use it in the prompt or the output name.",
        )

    def _texts(self) -> Iterator[tuple[str, str]]:
        """
        Each text of the group that may have words in braces, with its key.
        """
        for name, value in (*self._values.items(), *self._group.matrix.items()):
            for _, text in leaves(value):
                if isinstance(text, str):
                    yield name, text

    def _used_words(self) -> Iterator[str]:
        for _, text in self._texts():
            yield from _names(text)

    def _known_words(self) -> set[str]:
        columns = self._entries.columns
        own = set(columns) if columns is not None else set[str]()
        if columns is None and self._group.each is not None:
            own = set(FILE_WORDS)
        fields = {
            name.removeprefix("params.")
            for name in (*self._values, *self._group.matrix, *self._values["params"])
        }
        plain = fields - {"params", "image", "output", "expect", "count"}
        return own | plain | {"index", "slug", "model", "ext"}

    def _check_words(self) -> bool:
        known = self._known_words()
        is_sound = True
        for name, text in self._texts():
            position = self._at(name)
            try:
                words = Template.parse(text).names
            except ValueError as exc:
                self._problems.add(position, f"{name}: {exc}")
                is_sound = False
                continue
            for word in words:
                if word in known:
                    continue
                is_sound = False
                if word in _LATE_WORDS:
                    message = f"{{{word}}} is not known before the job runs."
                    hint = "Use {index}, {slug} or a word of your own."
                else:
                    message = f"{name}: {{{word}}} names nothing."
                    hint = suggest(word, known) or self._hint_of_word()
                self._problems.add(position, message, hint)
        return is_sound

    def _hint_of_word(self) -> str:
        columns = self._entries.columns
        if columns is None:
            return "Write {{ for a literal brace."
        named = ", ".join(f"'{column}'" for column in columns[:8])
        return f"The header row of the table has {named}."

    def _check_output(self) -> bool:
        output = self._values.get("output")
        if output is None:
            if "output" in self._cell_fields.values():
                return True
            self._problems.add(
                self._position,
                "An output name is needed.",
                f"Example: {self._example()}",
            )
            return False
        if not output.strip() or output == "-" or output.endswith("/"):
            self._problems.add(
                self._at("output"),
                f"'{output}' is not the name of a file.",
                f"Example: {self._example()}",
            )
            return False
        return True

    def _example(self) -> str:
        columns = self._entries.columns
        word = "{stem}" if self._group.each and columns is None else "{index}"
        if columns:
            plain = [each for each in columns if each not in ITEM]
            word = f"{{{plain[0]}}}" if plain else "{index}"
        option = "" if self._manifest.name.endswith(".toml") else "-o "
        return f"{option}'out/{word}.png'" if option else f'output = "out/{word}.png"'

    def _at(self, name: str) -> Position:
        if name in self._group.values:
            return self._group.position_of(name)
        if name in self._group.matrix:
            return self._group.position_of(f"matrix.{name}")
        if name in self._manifest.defaults:
            return self._manifest.position_of(name)
        return self._position

    def _cells(self, entry: Entry) -> dict[str, Any] | None:
        """
        The values that a row sets; None if one of them cannot be used.
        """
        found: dict[str, Any] = {}
        if entry.image is not None and "image" not in self._group.values:
            found["image"] = entry.image
        is_sound = True
        for column, key in self._cell_fields.items():
            if column not in entry.cells:
                continue
            value = entry.cells[column]
            if key in ITEM:
                try:
                    value = _cell_value(key, value)
                except ValueError as exc:
                    self._problems.add(
                        entry.position or self._position, f"{column} {exc}."
                    )
                    is_sound = False
            found[key] = value
        return found if is_sound else None

    def _item(
        self,
        entry: Entry,
        values: Mapping[str, Any],
        chosen: Mapping[str, Any],
        number: int,
        copy: int,
    ) -> Item | None:
        position = entry.position or self._position
        raw = set(self._cell_fields.values())
        filler = _Filler(entry, values, raw, number, self._extension_of)
        try:
            output = self._output(filler, values, entry, copy)
            filled = {
                name: filler.value(name)
                for name in ("model", "prompt", *FIELDS)
                if name in values
            }
            images = filler.texts("image")
            params = {
                name: filler.filled(f"params.{name}", value)
                for name, value in values["params"].items()
            }
        except ValueError as exc:
            self._problems.add(position, str(exc))
            return None
        return Item(
            position=position,
            output=output,
            model=filled.pop("model", None),
            prompt=filled.pop("prompt", None),
            images=images,
            fields=filled,
            params=params,
            styles=filler.texts("style"),
            copy=copy,
            expect=filler.texts("expect"),
            sidecar=values.get("sidecar", False),
            quality_out=values.get("quality_out"),
            max_size=values.get("max_size"),
            fit=values.get("fit", False),
            inline=values.get("inline", False),
            row=entry.label,
            column=", ".join(_short(name, value) for name, value in chosen.items()),
            foreign_paths=tuple(self._foreign_paths(images, params, values)),
        )

    def _output(
        self, filler: _Filler, values: Mapping[str, Any], entry: Entry, copy: int
    ) -> str:
        if "output" in self._cell_fields.values() and "output" in values:
            template, output = "", output_names.safe_path(str(values["output"]))
        else:
            template = values["output"]
            output = filler.output(template, is_file=entry.image is not None)
        if values.get("count", 1) > 1 and "index" not in _names(template):
            output = output_names.with_copy(output, copy)
        fixed = output_names.fixed_folder(template)
        if fault := output_names.fault_of_output(output, fixed):
            raise ValueError(f"output: {fault}.")
        return output

    def _foreign_paths(
        self,
        images: Sequence[str],
        params: Mapping[str, Any],
        values: Mapping[str, Any],
    ) -> Iterator[str]:
        if self._entries.columns is None:
            return
        cell_keys = set(self._cell_fields.values())

        def is_foreign(name: str, value: Any) -> bool:
            # Any word may stand for a cell, also by way of another text.
            texts = [text for _, text in leaves(value) if isinstance(text, str)]
            return name in cell_keys or any(_names(text) for text in texts)

        if "image" in values and is_foreign("image", values["image"]):
            yield from images
        for name, value in params.items():
            if is_foreign(f"params.{name}", values["params"][name]):
                for _, text in leaves(value):
                    if isinstance(text, str) and text.startswith("@"):
                        yield text[1:]
                    elif isinstance(text, str) and text[:5].lower() == "file:":
                        yield text


class _Filler:
    """
    Fills in the words of one item.  *raw* are the keys whose values come from a cell:
    they are never read as a template.
    """

    def __init__(
        self,
        entry: Entry,
        values: Mapping[str, Any],
        raw: set[str],
        number: int,
        extension_of: ExtensionOf,
    ) -> None:
        self._extension_of = extension_of
        self._entry = entry
        self._values = values
        self._raw = raw
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
        The value with its words filled in.

        Raises:
            ValueError: a word refers to itself.
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
        The name of the result, each word made safe.

        Raises:
            ValueError: a word is empty.
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
        if name in self._entry.words:
            return self._entry.words[name]
        if name == "index":
            return str(self._number)
        if name == "slug":
            return clean(str(self._field("prompt") or "").lower()) or "result"
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


def local_input(text: str, folder: Path) -> Path | None:
    """
    The path of an input that is a file; None for a web address or a data URI.
    """
    if _ADDRESS.match(text):
        return None
    return Path(os.path.normpath(folder / local_path(text)))


def _cell_value(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return converted(key, value)
    if fault := fault_of(ITEM[key], value):
        raise ValueError(fault)
    return value


def _merged(
    values: Mapping[str, Any], cells: Mapping[str, Any], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Values of a group with those of a row and of a combination, which are nearer.
    """
    merged = dict(values)
    params = dict(values["params"])
    for name, value in (*cells.items(), *chosen.items()):
        if name.startswith("params."):
            params[name.removeprefix("params.")] = value
        else:
            merged[name] = value
    merged["params"] = params
    return merged


def _names(text: str) -> list[str]:
    try:
        return Template.parse(text).names
    except ValueError:
        return []


def _short(name: str, value: Any) -> str:
    if name == "model":
        return str(value).rpartition("/")[2]
    return f"{name.removeprefix('params.')} {text_of(value)}"


def _expanded(expansion: _Expansion, most: int) -> list[Item]:
    """
    The items of a group.  A file that the same glob makes is left out: results may lie
    beside what they are made from, and are not inputs of the next run.
    """
    items = list(expansion.items(most))
    made = {output_names.folded(item.output) for item in items}
    if not expansion.leave_out(made):
        return items
    return list(expansion.items(most))


def _check_outputs(items: Sequence[Item], problems: Problems) -> None:
    first: dict[str, Item] = {}
    for item in items:
        other = first.setdefault(output_names.folded(item.output), item)
        if other is item:
            continue
        kind = (
            "the output" if other.output == item.output else "but for case the output"
        )
        problems.add(
            item.position,
            f"'{item.output}' is {kind} of {other.position}, too.",
            "Tell them apart with a word, such as {index} or {seed}.",
        )


def _check_foreign_paths(
    items: Sequence[Item], folder: Path, problems: Problems
) -> None:
    """
    A table may come from a stranger: it names no file outside of the folder.
    """
    root = folder.resolve()
    for item in items:
        for text in item.foreign_paths:
            path = local_input(text, folder)
            if path is not None and not path.resolve().is_relative_to(root):
                problems.add(
                    item.position,
                    f"'{text}' is outside of the folder of the manifest.",
                    "A table can name only files below it.",
                )


def _linked(items: list[Item], folder: Path, problems: Problems) -> list[Item]:
    """
    The items with the items that they need; a circle of them is a problem.
    """
    made = {
        os.path.normpath(folder / item.output): index
        for index, item in enumerate(items)
    }
    linked = []
    for item in items:
        needs = {}
        for text in _input_texts(item):
            path = local_input(text, folder)
            if path is not None and str(path) in made:
                needs[text] = made[str(path)]
        linked.append(replace(item, needs=needs) if needs else item)
    _check_circles(linked, problems)
    return linked


def _input_texts(item: Item) -> Iterator[str]:
    yield from item.images
    for _, text in leaves(dict(item.params)):
        if isinstance(text, str) and text.startswith("@"):
            yield text[1:]


def _check_circles(items: Sequence[Item], problems: Problems) -> None:
    done = set[int]()
    for start in range(len(items)):
        way: list[int] = []
        stack = [(start, iter(items[start].needs.values()))]
        way.append(start)
        while stack:
            at, rest = stack[-1]
            following = next(rest, None)
            if following is None or at in done:
                done.add(at)
                stack.pop()
                way.pop()
            elif following in way:
                circle = [*way[way.index(following) :], following]
                names = " -> ".join(items[index].output for index in circle)
                problems.add(
                    items[at].position,
                    f"The items need each other: {names}.",
                    "Give one of them another input.",
                )
                return
            elif following not in done:
                stack.append((following, iter(items[following].needs.values())))
                way.append(following)
