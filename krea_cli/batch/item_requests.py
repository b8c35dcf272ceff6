"""
From items to requests: each checked against its model, priced, and identified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from krea_cli.batch.identity import Identity, identity_of
from krea_cli.batch.item import Item, local_input
from krea_cli.batch.manifest_keys import ITEM
from krea_cli.batch.problems import Position, Problems
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

# Stands for an input that another item is still to make.
_PENDING = "https://krea.ai/pending/"
_PENDING_SIZE = (1024, 1024)
_A = {"image": "images", "video": "videos", "audio": "audio", "3d": "3D models"}
# Names of the command line, as a manifest calls them.
_NAMES = {"-i": "image"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """
    An item with its request and its identity.  *unusable* says why there are none: an
    input cannot be used, or the item that makes it has such an input.
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
    Makes requests of items, whose paths are relative to *folder*.

    *find_model* gives the model of a name, or the one that is used without; *read* the
    image of an argument. *warn* is called when something other than what was asked for
    is sent. Krea calls *webhook* when a job finishes. Without *validates* a request is
    not held against the schema of its model.
    """

    folder: Path
    find_model: Callable[[str | None], Model]
    read: Callable[[str], Image]
    warn: Callable[[str], None]
    webhook: str | None = None
    validates: bool = True
    _models: dict[str | None, Model] = field(default_factory=dict)
    _images: dict[str, Image | InputError] = field(default_factory=dict)

    def plan(self, items: Sequence[Item], problems: Problems) -> list[Planned]:
        """
        The items with their requests; what no model would take goes to *problems*.
        """
        planned: dict[str, Planned] = {}
        for index in by_need(items):
            item = items[index]
            needed = {text: planned[each] for text, each in item.needs.items()}
            planned[item.output] = self._planned(item, needed, problems)
        return [planned[item.output] for item in items]

    def request_of(self, item: Item, inputs: Mapping[str, Image]) -> Request:
        """
        The request of an item whose needed *inputs* are there now.

        Raises:
            UsageError: an input cannot be used, or the model would not take it.
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
        The image that an item names.

        Raises:
            InputError: it cannot be used.
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
        _report(violations, item.position, problems)
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

    def _model(self, name: str | None) -> Model:
        if name not in self._models:
            self._models[name] = model = self.find_model(name)
            if model.deprecated:
                self.warn(f"{model.id} is deprecated and may stop working.")
        return self._models[name]


class _Building:
    """
    The request of one item in the making.  *unusable* is the first input that cannot
    be used; *paths* are those of inputs as the item names them.
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
        for name in fields.values.keys() - self._model.fields.keys():
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
        The image; in place of one that cannot be used an address, so that everything
        else of the item is checked, too.
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
    Yield the texts that no service takes.
    """
    if item.prompt is not None and not item.prompt.strip():
        yield Violation("prompt", "is empty")
    if undecodable := request.undecodable_field:
        yield Violation(undecodable, "is not UTF-8 text")
    if with_nul := request.field_with_nul:
        yield Violation(with_nul, "has a NUL character")


def by_need(items: Sequence[Item]) -> Iterator[int]:
    """
    Yield the positions of the items, each after the items that it needs.
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


def _report(
    violations: Sequence[Violation], position: Position, problems: Problems
) -> None:
    for each in violations:
        name = _name(each.field)
        problems.add(position, f"{name}: {each.message}." if name else f"{each}.")


def _is_known(violation: Violation, item: Item, model: Model) -> bool:
    """
    Tell whether a field is missing because its value, which is reported already, cannot
    be used.
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
    The key of a manifest that an option of the command line stands for.
    """
    if option.startswith("--"):
        return option[2:].replace("-", "_")
    return _NAMES.get(option, option)
