"""
Turn items into requests: checked against their models, priced and identified.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from krea_cli.batch.identity import Identity, identity_of
from krea_cli.batch.item import Item, local_input
from krea_cli.batch.manifest_keys import FIELDS, ITEM
from krea_cli.batch.problems import Problems
from krea_cli.batch.shown_path import shown_path
from krea_cli.catalog.model import Model
from krea_cli.catalog.validation import Violation
from krea_cli.errors import InputError, KreaError, UsageError
from krea_cli.inputs.local_file import Image, LocalFile, RemoteFile
from krea_cli.media import of_extension
from krea_cli.requests import defaults
from krea_cli.requests.arguments import normalize_text
from krea_cli.requests.field_values import FieldValues
from krea_cli.requests.param import Param
from krea_cli.requests.prepare import input_size, violations_of
from krea_cli.requests.request import Request
from krea_cli.requests.style import parse_style

# Placeholders for an input that does not exist yet: its URL, and its size in pixels.
_PENDING = "https://krea.ai/pending/"
_PENDING_SIZE = (1024, 1024)
_A = {"image": "images", "video": "videos", "audio": "audio", "3d": "3D models"}
# Keys of a manifest, by the names of the command line.
_NAMES = {"-i": "image"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """
    An item with its request and its identity.

    Both are None if the item cannot be made. `unusable` then says why: its model, an
    input or the request is invalid, or an item that it needs is unusable.
    """

    item: Item
    request: Request | None = None
    identity: Identity | None = None
    choices: Sequence[defaults.AutomaticValue] = ()
    cost_usd: float | None = None
    unusable: KreaError | None = None

    @property
    def key(self) -> str:
        return self.identity.key if self.identity else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBuilder:
    """
    A builder of requests from items, whose paths are relative to `folder`.

    `find_model` returns the model with a name, or the default model for None. `read`
    returns the image that an argument names. `warn` shows a warning to the user. Krea
    calls the URL `webhook` when a job finishes. With `validates=False`, requests are
    not checked against the schema of the model. With `in_manifest=True`, hints refer to
    a manifest instead of the command line.
    """

    folder: Path
    find_model: Callable[[str | None], Model]
    read: Callable[[str], Image]
    warn: Callable[[str], None]
    webhook: str | None = None
    validates: bool = True
    in_manifest: bool = False
    _models: dict[str | None, Model] = field(default_factory=dict)
    _images: dict[str, Image | InputError] = field(default_factory=dict)

    def plan(self, items: Sequence[Item], problems: Problems) -> list[Planned]:
        """
        Return the items with their requests, in the order of `items`.

        Values that a model would reject are added to `problems`.
        """
        planned: dict[str, Planned] = {}
        for index in by_need(items):
            item = items[index]
            needed = {text: planned[each] for text, each in item.needs.items()}
            planned[item.output] = self._planned(item, needed, problems)
        return [planned[item.output] for item in items]

    def request_of(self, item: Item, inputs: Mapping[str, Image]) -> Request:
        """
        Return the request of an item, after the items that it needs were made.

        `inputs` has the results of those items, by the text that names them.

        Raises:
            InputError: an input cannot be used.
            UsageError: the model would reject the request.
        """
        building = _Building(item, self._model(item.model), self, inputs)
        request, _, violations = building.request(pending=False)
        if building.unusable:
            raise building.unusable
        if violations:
            raise UsageError(
                f"Cannot make {item.shown}: {violations[0]}",
                details=[str(each) for each in violations[1:]],
            )
        return request

    def image(self, text: str) -> Image:
        """
        Return the image that an item names. Each image is read once.

        Raises:
            InputError: the image cannot be used.
        """
        path = local_input(text, self.folder)
        place = text if path is None else str(path)
        if place not in self._images:
            try:
                self._images[place] = self._read(text, path)
            except InputError as exc:
                self._images[place] = exc
        found = self._images[place]
        if isinstance(found, InputError):
            raise found
        return found

    def _read(self, text: str, path: Path | None) -> Image:
        if text == "-":
            raise InputError("Standard input cannot be an image of a batch.")
        if path is None:
            return self.read(text)
        return self.read(shown_path(path))

    def _planned(
        self, item: Item, needed: Mapping[str, Planned], problems: Problems
    ) -> Planned:
        for each in needed.values():
            if each.unusable:
                message = f"{each.item.shown} cannot be made."
                return Planned(item=item, unusable=InputError(message))
        try:
            model = self._model(item.model)
        except UsageError as exc:
            problems.add(item.position, exc.message, " ".join(exc.hints))
            return Planned(item=item, unusable=exc)
        made = {
            f"{_PENDING}{number}": (text, each.key)
            for number, (text, each) in enumerate(needed.items())
        }
        inputs: dict[str, Image] = {
            text: RemoteFile(url) for url, (text, _) in made.items()
        }
        building = _Building(item, model, self, inputs)
        request, choices, violations = building.request(pending=bool(needed))
        violations = [each for each in violations if not _is_known(each, item, model)]
        for violation in violations:
            name = _name(violation.field)
            hint = self._hint(name, building.given, model, item)
            text = f"{name}: {violation.message}." if name else f"{violation}."
            problems.add(item.position, text, hint)
        _check_kinds(item, model, needed, problems)
        if building.unusable or violations:
            return Planned(
                item=item,
                unusable=building.unusable or UsageError("The request is invalid."),
            )
        identity = identity_of(
            model,
            request.fields,
            automatic={choice.field for choice in choices},
            copy=item.copy,
            made=made,
            path_of=building.paths,
        )
        return Planned(
            item=item,
            request=request,
            identity=identity,
            choices=choices,
            cost_usd=request.cost_usd,
        )

    def _hint(self, name: str, given: Collection[str], model: Model, item: Item) -> str:
        """
        Return a hint for a field that the model does not have, or that is missing.
        """
        is_cell = item.position.unit == "row" and not self.in_manifest
        if name in FIELDS and name not in model.fields:
            rest = "remove the column" if is_cell else f"remove {name}"
            option = "" if self.in_manifest else " with -m"
            return f"Choose a model that has this field{option}, or {rest}."
        if name not in model.fields or name in given:
            return ""
        if self.in_manifest:
            key = f"{name} = ..."
            key = key if name in ITEM else f"params = {{ {key} }}"
            return f"Add {key} below [[pictures]] or [defaults]."
        if name == "prompt":
            return "Add PROMPT, or a column of prompts."
        option = f"--{name.replace('_', '-')}" if name in FIELDS else f"-p {name}=VALUE"
        return f"Add {option}, or a column."

    def _model(self, name: str | None) -> Model:
        if name not in self._models:
            self._models[name] = model = self.find_model(name)
            if model.deprecated:
                self.warn(f"{model.id} is deprecated and may stop working.")
        return self._models[name]


class _Building:
    """
    The request of one item while it is built.

    `unusable` is the error of the first input that cannot be used. `paths` has the
    item's names of input files, by the path of the file. `given` are the fields that
    the item sets.
    """

    def __init__(
        self,
        item: Item,
        model: Model,
        builder: RequestBuilder,
        inputs: Mapping[str, Image],
    ) -> None:
        self.unusable: InputError | None = None
        self.paths: dict[str, str] = {}
        self.given: frozenset[str] = frozenset()
        self._item = item
        self._model = model
        self._builder = builder
        self._inputs = inputs

    def request(
        self, *, pending: bool
    ) -> tuple[Request, Sequence[defaults.AutomaticValue], list[Violation]]:
        item = self._item
        fields = FieldValues(self._model, read=self._image)
        for name, value in self._given():
            is_json = not isinstance(value, str)
            sent = value if is_json else normalize_text(value)
            fields.add([Param(name, sent, is_json=is_json, source=name)])
        fields.add_images([self._image(text) for text in item.images])
        for style in item.styles:
            with fields.collect_errors("--style"):
                fields.add_style(parse_style(style))
        fields.add_options({name: str(value) for name, value in item.fields.items()})
        for warning in fields.warnings:
            self._builder.warn(warning)
        dropped = {each.field for each in fields.dropped}
        self.given = frozenset({*fields.values, *item.fields, *dropped})
        request = Request(
            model=self._model, fields=fields.values, webhook=self._builder.webhook
        )
        if not self._builder.validates:
            return request, (), [*fields.dropped, *_text_violations(item, request)]
        is_unknown = pending or self.unusable is not None
        size = _PENDING_SIZE if is_unknown and request.images else input_size(request)
        choices = defaults.choose_defaults(self._model, fields.values, size)
        fields.values.update({choice.field: choice.value for choice in choices})
        violations = violations_of(request, fields)
        wrong = {_name(each.field) for each in violations}
        for name in fields.values.keys() - self._model.fields.keys() - wrong:
            self._builder.warn(
                f"{name} is not a known field of {self._model.id}; submitting it "
                "unchecked."
            )
        return request, choices, [*violations, *_text_violations(item, request)]

    def _given(self) -> Iterator[tuple[str, Any]]:
        if self._item.prompt is not None:
            yield "prompt", self._item.prompt
        yield from self._item.params.items()

    def _image(self, text: str) -> Image:
        """
        Return an image, or a placeholder if it cannot be used.

        The placeholder lets the other values of the item be checked.
        """
        if text in self._inputs:
            return self._inputs[text]
        try:
            image = self._builder.image(text)
        except InputError as exc:
            self.unusable = self.unusable or exc
            return RemoteFile(_PENDING)
        if isinstance(image, LocalFile):
            original = image.original
            path = original.path if original else str(image.path)
            self.paths[path] = "data:" if path == "data:" else text
        return image


def _text_violations(item: Item, request: Request) -> Iterator[Violation]:
    """
    Yield the texts that Krea rejects for every model.
    """
    if item.prompt is not None and not item.prompt.strip():
        yield Violation("prompt", "is empty")
    if undecodable := request.undecodable_field:
        yield Violation(undecodable, "is not UTF-8 text")
    if with_nul := request.field_with_nul:
        yield Violation(with_nul, "has a NUL character")


def by_need(items: Sequence[Item]) -> Iterator[int]:
    """
    Yield the index of each item, after the indexes of the items that it needs.
    """
    places = {item.output: index for index, item in enumerate(items)}
    done = set[int]()
    for start in range(len(items)):
        stack = [start]
        while stack:
            at = stack[-1]
            needed = [places[output] for output in items[at].needs.values()]
            missing = [each for each in needed if each not in done]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if at not in done:
                done.add(at)
                yield at


def _is_known(violation: Violation, item: Item, model: Model) -> bool:
    """
    Return whether a violation results from a faulty value, which is already reported.
    """
    name = _name(violation.field)
    keys = {name, f"params.{name}"}
    if model.input_field and name == model.input_field.name:
        keys.add("image")
    if name not in ITEM:
        keys.add("params")
    return bool(keys & item.faulty)


def _check_kinds(
    item: Item, model: Model, needed: Mapping[str, Planned], problems: Problems
) -> None:
    output = of_extension(Path(item.output).suffix)
    if output and model.result_kind and output.kind != model.result_kind:
        problems.add(
            item.position,
            f"output: {model.id} makes {_A[model.result_kind]}, not .{output.extension}"
            " files.",
        )
    wanted = model.input_field
    for text in item.images:
        media = of_extension(Path(text).suffix)
        if text in needed and wanted and media and media.kind != wanted.media:
            problems.add(
                item.position,
                f"{model.id} takes {wanted.media} files, and {text} is not one.",
            )


def _name(option: str) -> str:
    """
    Return the key of a manifest for an option of the command line.
    """
    if option.startswith("--"):
        return option[2:].replace("-", "_")
    return _NAMES.get(option, option)
