"""
List the items of a manifest, and report outputs with the same name, items that need
each other, and files that a table must not name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from krea_cli.batch import output_names
from krea_cli.batch.entries import ONE, UNREAD, Entries
from krea_cli.batch.expansion import Expansion
from krea_cli.batch.filling import ExtensionOf
from krea_cli.batch.item import Item, local_input
from krea_cli.batch.manifest import Manifest, PictureGroup
from krea_cli.batch.manifest_keys import MAX_ITEMS
from krea_cli.batch.problems import Position, Problems
from krea_cli.batch.templates import names_in
from krea_cli.errors import UsageError
from krea_cli.runtime.json_tree import leaves

# Returns the files or rows that a group is repeated for.
ReadEntries = Callable[[str, Position], Entries]


def items_of(
    manifest: Manifest,
    read_entries: ReadEntries,
    folder: Path,
    problems: Problems,
    *,
    shown: Callable[[str], str] = str,
    model_fields: Iterable[str] = (),
    find_model: Callable[[str], object] = lambda _: None,
    extension_of: ExtensionOf = lambda _: None,
) -> list[Item]:
    """
    Return the items of a manifest in its order.

    `read_entries` returns the entries of a group, and `shown` an output's path relative
    to the current folder. `model_fields` are the fields that columns may set.
    `find_model` raises UsageError for an unknown model. `extension_of` returns the
    extension of a model's results, or None if it is not known beforehand.

    Items with problems may be missing from the list.
    """
    known = frozenset(model_fields)
    items: list[Item] = []
    for group in manifest.groups:
        entries = UNREAD if "each" in group.faulty else ONE
        if group.each is not None:
            entries = read_entries(group.each, group.position_of("each"))
        found = _expanded(
            Expansion(manifest, group, entries, known, extension_of, problems, shown),
            MAX_ITEMS - len(items),
        )
        if not found:
            _check_models(manifest, group, find_model, problems)
        items += found
    items = [replace(item, seen_as=shown(item.output)) for item in items]
    _check_outputs(items, problems)
    return _linked(_without_foreign_paths(items, folder, problems), folder, problems)


def _check_models(
    manifest: Manifest,
    group: PictureGroup,
    find_model: Callable[[str], object],
    problems: Problems,
) -> None:
    """
    Check the models of a group without items.

    Models are usually checked with the items. The items are missing because of another
    problem, but all problems should be reported at once.
    """
    values = {**manifest.defaults, **group.values}
    position = group.position_of("matrix.model")
    models = group.matrix.get("model")
    if models is None:
        is_own = "model" in group.values
        position = (group if is_own else manifest).position_of("model")
        models = [values.get("model")]
    for model in models:
        if not isinstance(model, str) or names_in(model):
            continue
        try:
            find_model(model)
        except UsageError as exc:
            problems.add(position, exc.message, " ".join(exc.hints))


def _expanded(expansion: Expansion, most: int) -> list[Item]:
    """
    Return the items of a group.

    Files that are also outputs of the group are left out: results may lie beside their
    inputs, and must not become inputs of the next run.
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
        message = f"Two items have the same output: {item.shown}."
        if other.output != item.output:
            message = f"Two outputs differ only in case: {other.shown}, {item.shown}."
        problems.add(
            item.position,
            message,
            (
                ""
                if other.position == item.position
                else f"The other is at {other.position}. "
            )
            + "Add a field such as {index} or {seed} to the name.",
        )


def _without_foreign_paths(
    items: Sequence[Item], folder: Path, problems: Problems
) -> list[Item]:
    """
    Return the items whose files may be read, and report the others.

    A table may come from a stranger, so it can name only files inside the folder.
    """
    root = folder.resolve()
    kept = []
    for item in items:
        before = problems.total
        for text in item.foreign_paths:
            path = local_input(text, folder)
            if path is not None and not path.resolve().is_relative_to(root):
                problems.add(
                    item.position,
                    f"'{text}' is outside of the folder {folder}.",
                    "A table can name only files in this folder.",
                )
        if problems.total == before:
            kept.append(item)
    return kept


def _linked(items: list[Item], folder: Path, problems: Problems) -> list[Item]:
    """
    Return the items with their `needs`. If items need each other, report that and
    return `items`.
    """
    made = {os.path.normpath(folder / item.output): item.output for item in items}
    linked = []
    for item in items:
        needs = {}
        for text in _input_texts(item):
            path = local_input(text, folder)
            if path is not None and str(path) in made:
                needs[text] = made[str(path)]
        linked.append(replace(item, needs=needs) if needs else item)
    return linked if _has_no_circle(linked, problems) else items


def _input_texts(item: Item) -> Iterator[str]:
    yield from item.images
    for _, text in leaves(dict(item.params)):
        if isinstance(text, str) and text.startswith("@"):
            yield text[1:]


def _has_no_circle(items: Sequence[Item], problems: Problems) -> bool:
    needs = {item.output: tuple(item.needs.values()) for item in items}
    done = set[str]()
    for start, first in needs.items():
        way = [start]
        stack = [iter(first)]
        while stack:
            following = next(stack[-1], None)
            if following is None:
                stack.pop()
                done.add(way.pop())
            elif following in way:
                circle = [*way[way.index(following) :], following]
                if len(set(circle)) == 1:
                    message = f"{following} uses itself as its input."
                else:
                    message = f"The items need each other: {' -> '.join(circle)}."
                problems.add(
                    next(item.position for item in items if item.output == way[-1]),
                    message,
                    "Use another input.",
                )
                return False
            elif following not in done:
                way.append(following)
                stack.append(iter(needs[following]))
    return True
