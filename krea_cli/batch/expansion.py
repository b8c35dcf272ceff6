"""
Expand a group of a manifest into items.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from krea_cli.batch import output_names
from krea_cli.batch.entries import FILE_WORDS, Entries, Entry, text_of
from krea_cli.batch.filling import ExtensionOf, Filler
from krea_cli.batch.item import Item
from krea_cli.batch.manifest import Manifest, PictureGroup
from krea_cli.batch.manifest_keys import FIELDS, ITEM, MAX_ITEMS, converted, fault_of
from krea_cli.batch.problems import COMMAND_LINE, Position, Problems, suggest
from krea_cli.batch.templates import Template, names_in
from krea_cli.runtime.json_tree import leaves

# Words that have no value until the job runs.
_LATE_WORDS = ("job_id", "date", "time")
# Cells longer than this are texts, such as prompts, and not file names.
MAX_NAME = 60


class Expansion:
    """
    The items of one group.

    The words and the output name of the group are checked on creation. If they cannot
    be used, or the entries could not be read, `items` yields nothing.
    """

    def __init__(
        self,
        manifest: Manifest,
        group: PictureGroup,
        entries: Entries,
        model_fields: frozenset[str],
        extension_of: ExtensionOf,
        problems: Problems,
        shown: Callable[[str], str],
    ) -> None:
        self._manifest = manifest
        self._shown = shown
        self._group = group
        self._entries = entries
        self._problems = problems
        self._model_fields = model_fields
        self._extension_of = extension_of
        defaults, own = manifest.defaults, group.values
        params = {**defaults.get("params", {}), **own.get("params", {})}
        self._values = {**defaults, **own, "params": params}
        self._position = group.position_of("")
        self._faulty = manifest.faulty | group.faulty
        self._cell_fields: Mapping[str, str] = {}
        self._is_sound = False
        if not entries.is_read:
            return
        # Check words first: a misspelled word makes its column look unused.
        has_words = self._check_words()
        has_output = self._has_output()
        has_words = self._check_matrix_words() and has_words
        if has_words:
            self._cell_fields = self._find_cell_fields(has_output)
        if not has_output and "output" not in self._faulty:
            self._report_output()
        self._is_sound = has_words and has_output and not self._needs_faulty()

    def items(self, most: int) -> Iterator[Item]:
        """
        Yield the items, at most `most` of them, and report if there are more.
        """
        if not self._is_sound:
            return
        matrix = self._group.matrix
        index = itertools.count(1)
        for entry in self._entries.entries:
            cells, faulty = self._cells(entry)
            if "output" in faulty:
                continue
            for combination in itertools.product(*matrix.values()):
                chosen = dict(zip(matrix, combination, strict=True))
                values = _merged(self._values, cells, chosen)
                count = values.get("count", 1)
                for copy in range(1, count + 1):
                    number = next(index)
                    if number > most:
                        self._problems.add(
                            self._position, f"There are more than {MAX_ITEMS:,} items."
                        )
                        return
                    item = self._item(entry, values, chosen, number, copy)
                    if item is not None:
                        yield replace(item, faulty=self._faulty | faulty)

    def _needs_faulty(self) -> bool:
        """
        Return whether naming or checking the items needs a faulty value.
        """
        words = set(self._used_words()) - set(self._entries.columns or ())
        return bool(self._faulty_words() & {"model", *words})

    def _faulty_words(self) -> set[str]:
        return {name.removeprefix("params.") for name in self._faulty}

    def leave_out(self, outputs: Collection[str]) -> bool:
        """
        Leave out files that are among these outputs, and return whether there were any.

        `outputs` are paths as returned by `output_names.folded`.
        """
        before = self._entries.entries
        entries = [
            entry
            for entry in before
            if entry.image is None or output_names.folded(entry.image) not in outputs
        ]
        self._entries = replace(self._entries, entries=entries)
        return len(entries) < len(before)

    def _find_cell_fields(self, has_output: bool) -> Mapping[str, str]:
        """
        Return the columns that set a field, with the key of that field.

        Unused columns are reported, unless the output name is missing: it may use them.
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
            if isinstance(default, str) and column in names_in(default):
                continue  # the default contains the cell
            if key == "prompt" and default and self._is_of_command_line(key):
                self._problems.add(
                    self._entries.header or self._position,
                    "The table has a column of prompts, and PROMPT was given too.",
                    "Leave out PROMPT, or use the column in it: '{prompt}, at night'",
                )
                continue
            found[column] = key
        # A column may be used in a faulty text, whose words are not known.
        if unknown and has_output and not self._faulty:
            self._report_columns(unknown)
        return found

    def _is_of_command_line(self, key: str) -> bool:
        return self._manifest.position_of(key) == COMMAND_LINE

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
            f"The column '{column}' is not used: it is not a field of the model, and "
            f"{{{column}}} is not in the prompt or the output name.",
            hint or "Remove it, or use it.",
        )

    def _texts(self) -> Iterator[tuple[str, str]]:
        """
        Yield the key and the text of each value that may have words in braces.
        """
        for name, value in (*self._values.items(), *self._group.matrix.items()):
            for _, text in leaves(value):
                if isinstance(text, str):
                    yield name, text

    def _used_words(self) -> Iterator[str]:
        for _, text in self._texts():
            yield from names_in(text)

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
        # Faulty keys are already reported, so using them is not another problem.
        return own | plain | self._faulty_words() | {"index", "slug", "model", "ext"}

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
                    hint = "Use {index} or {slug}."
                else:
                    message = f"{name}: {{{word}}} is unknown."
                    hint = suggest(word, known) or self._hint_of_word()
                self._problems.add(position, message, hint)
        return is_sound

    def _check_matrix_words(self) -> bool:
        """
        Check that the words of the matrix are not also columns or fields of the model,
        and return whether they pass.
        """
        columns = self._entries.columns or ()
        is_sound = True
        for name in self._group.matrix:
            if name in ITEM or name.startswith("params."):
                continue
            if name in columns:
                fault = f"'{name}' in matrix is also a column of the table."
                hint = "Rename one of them."
            elif name in self._model_fields:
                fault = f"Unknown field '{name}' in matrix."
                hint = f"To set this field of the model: params.{name} = [...]"
            else:
                continue
            self._problems.add(self._at(name), fault, hint)
            is_sound = False
        return is_sound

    def _hint_of_word(self) -> str:
        columns = self._entries.columns
        if columns is None:
            return "Write {{ for a literal brace."
        named = ", ".join(f"'{column}'" for column in columns[:8])
        return f"The first row of the table names these columns: {named}."

    def _has_output(self) -> bool:
        """
        Return whether the group has an output name or a column of output names.
        """
        output = self._values.get("output")
        if output is None:
            return "output" in (self._entries.columns or ())
        return not (output.strip() in ("", "-") or self._is_folder(output))

    def _is_folder(self, output: str) -> bool:
        name = output.rpartition("/")[2]
        # On the command line, a name without an extension is a folder. In a manifest,
        # it is a file name that lacks its extension.
        is_bare = not PurePath(name).suffix and "{" not in name
        return not name or (is_bare and self._at("output") == COMMAND_LINE)

    def _report_output(self) -> None:
        output = self._values.get("output")
        if output and output.strip() != "-" and self._is_of_command_line("output"):
            output = self._shown(output) + "/" * output.endswith("/")
        if output is None:
            message = "An output name is needed."
        elif output.strip() in ("", "-"):
            message = f"'{output}' is not the name of a file."
        else:
            message = f"'{output}' is a folder, and its files need names."
        self._problems.add(self._at("output"), message, self._example(output))

    def _example(self, output: str | None) -> str:
        """
        Return an example of an output name, and the columns of a table that could name
        its files.
        """
        is_files = self._group.each is not None and self._entries.columns is None
        words = ["{stem}"] if is_files else self._naming_columns() or ["{index}"]
        folder = (output or "").strip("-/ ") or "out"
        example = f"'{folder}/{words[0]}.png'"
        hint = f"-o {example}"
        if self._manifest.name.endswith(".toml"):
            hint = f'output = "{folder}/{words[0]}.png"'
        several = f"Columns that could name them: {', '.join(words)}. "
        return f"{several if words[1:] else ''}Example: {hint}"

    def _naming_columns(self) -> list[str]:
        """
        Return the columns with a different short value in each row, as words in braces.
        """
        found = []
        for column in self._entries.columns or ():
            values = [entry.words[column].strip() for entry in self._entries.entries]
            is_short = all(0 < len(value) <= MAX_NAME for value in values)
            if column not in ITEM and is_short and len(set(values)) == len(values):
                found.append(f"{{{column}}}")
        return found

    def _at(self, name: str) -> Position:
        if name in self._group.values:
            return self._group.position_of(name)
        if name in self._group.matrix:
            return self._group.position_of(f"matrix.{name}")
        if name in self._manifest.defaults:
            return self._manifest.position_of(name)
        return self._position

    def _cells(self, entry: Entry) -> tuple[dict[str, Any], set[str]]:
        """
        Return the values that an entry sets, and the keys whose values cannot be used.
        """
        found: dict[str, Any] = {}
        faulty = set[str]()
        if entry.image is not None and "image" not in self._group.values:
            found["image"] = entry.image
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
                    faulty.add(key)
                    continue
            found[key] = value
        return found, faulty

    def _item(
        self,
        entry: Entry,
        values: Mapping[str, Any],
        chosen: Mapping[str, Any],
        number: int,
        copy: int,
    ) -> Item | None:
        position = entry.position or self._position
        raw = self._cell_keys(entry)
        unset = {column for column in self._cell_fields if column not in entry.cells}
        filler = Filler(entry, values, raw, unset, number, self._extension_of)
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
            foreign_paths=tuple(self._foreign_paths(entry, images, params, values)),
        )

    def _cell_keys(self, entry: Entry) -> set[str]:
        """
        Return the keys that the row sets. Blank cells leave their keys to the manifest.
        """
        return {
            key for column, key in self._cell_fields.items() if column in entry.cells
        }

    def _output(
        self, filler: Filler, values: Mapping[str, Any], entry: Entry, copy: int
    ) -> str:
        if "output" in self._cell_keys(entry):
            template, output = "", output_names.safe_path(str(values["output"]))
        elif "output" not in values:
            raise ValueError("An output name is needed.")
        else:
            template = values["output"]
            output = filler.output(template, is_file=entry.image is not None)
        if values.get("count", 1) > 1 and "index" not in names_in(template):
            output = output_names.with_copy(output, copy)
        fixed = output_names.fixed_folder(template)
        if fault := output_names.fault_of_output(output, fixed):
            raise ValueError(f"output: {fault}.")
        return output

    def _foreign_paths(
        self,
        entry: Entry,
        images: Sequence[str],
        params: Mapping[str, Any],
        values: Mapping[str, Any],
    ) -> Iterator[str]:
        """
        Yield the names of input files that come from the cells of a table.
        """
        if self._entries.columns is None:
            return
        cell_keys = self._cell_keys(entry)

        def is_foreign(name: str, value: Any) -> bool:
            # Any word may stand for a cell, directly or through another text.
            texts = [text for _, text in leaves(value) if isinstance(text, str)]
            return name in cell_keys or any(names_in(text) for text in texts)

        if "image" in values and is_foreign("image", values["image"]):
            yield from images
        for name, value in params.items():
            if is_foreign(f"params.{name}", values["params"][name]):
                for _, text in leaves(value):
                    if isinstance(text, str) and text.startswith("@"):
                        yield text[1:]
                    elif isinstance(text, str) and text[:5].lower() == "file:":
                        yield text


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
    Return the values of a group, overridden by a row, and then by a combination of the
    matrix.
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


def _short(name: str, value: Any) -> str:
    if name == "model":
        return str(value).rpartition("/")[2]
    return f"{name.removeprefix('params.')} {text_of(value)}"
