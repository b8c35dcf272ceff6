"""
What is asked of a model: the fields of a request, with images still as images.

An image stands in the fields as itself until the request is sent; only then does it
become a URL, so that nothing is uploaded for a request that is not sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from krea_cli.catalogue.model import MediaField, Model
from krea_cli.catalogue.validation import convert
from krea_cli.errors import UsageError
from krea_cli.jobs.images import Image, LocalImage, RemoteImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One paid request, to be sent any number of times.  *fields* holds images as values.
    """

    model: Model
    fields: Mapping[str, Any]
    webhook: str | None = None

    def body(self, url_of: Callable[[Image], str]) -> dict[str, Any]:
        """
        The JSON body, each image given as *url_of* says.
        """
        return {name: _with_urls(value, url_of) for name, value in self.fields.items()}

    @property
    def images(self) -> tuple[Image, ...]:
        return tuple(_images(list(self.fields.values())))

    @property
    def seed(self) -> int | None:
        seed = self.fields.get("seed")
        return seed if isinstance(seed, int) else None


@dataclass(frozen=True, slots=True)
class Param:
    """
    One field as the command line has it: text to convert, or JSON as it is.
    """

    name: str
    value: Any
    is_json: bool

    @classmethod
    def parse(cls, argument: str) -> Param:
        """
        KEY=VALUE, or KEY:=JSON.

        Raises:
            UsageError: it is neither.
        """
        name, equals, value = argument.partition("=")
        if not equals or not name.strip(" :"):
            raise UsageError(
                f"-p {argument} is not of the form KEY=VALUE.",
                hint="Text: -p style=oil   Any JSON: -p 'seed:=7'",
            )
        if not name.endswith(":"):
            return cls(name.strip(), value, is_json=False)
        name = name[:-1].strip()
        try:
            return cls(name, json.loads(value), is_json=True)
        except (ValueError, RecursionError) as exc:
            raise UsageError(f"-p {name}:= is not followed by JSON: {exc}.") from exc


def build(
    model: Model,
    *,
    prompt: str | None,
    images: Sequence[Image],
    params: Iterable[Param],
    webhook: str | None,
    warn: Callable[[str], None],
) -> Request:
    """
    The request for *model*: fields in the order given, the prompt first.

    Raises:
        UsageError: a value does not fit, a field is given twice, or the model takes no
            image.
    """
    fields: dict[str, Any] = {} if prompt is None else {"prompt": prompt}
    for param in params:
        name = _today(param.name, model, warn)
        if name in fields:
            raise UsageError(f"The field {name} is given twice.")
        fields[name] = _value(param, name, model)
    if images:
        field = _input_field(model)
        if field.name in fields:
            raise UsageError(f"The field {field.name} is given twice: by -i and by -p.")
        fields[field.name] = _placed(field, images, model)
    return Request(model=model, fields=fields, webhook=webhook)


def _today(name: str, model: Model, warn: Callable[[str], None]) -> str:
    """
    A field by its name of today: those of the old API were in camelCase.
    """
    if name in model.fields:
        return name
    snake = re.sub("(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
    renamed = model.aliases.get(name) or (snake if snake in model.fields else None)
    if renamed is None:
        return name
    warn(f"{name} is the old name of the field {renamed}; sent as {renamed}.")
    return renamed


def _value(param: Param, name: str, model: Model) -> Any:
    value = param.value
    if not param.is_json and name in model.fields:
        try:
            value = convert(model.fields[name], value)
        except ValueError as exc:
            raise UsageError(f"The field {name}: {exc}") from exc
    media = next((field for field in model.media_fields if field.name == name), None)
    return value if media is None else _with_images(value, media)


def _with_images(value: Any, field: MediaField) -> Any:
    """
    A media field's value with its web addresses as images, which can be sent otherwise
    when the service refuses them.
    """
    if isinstance(value, str):
        return RemoteImage(value) if value.startswith(("https:", "http:")) else value
    if isinstance(value, list):
        return [_with_images(item, field) for item in value]
    if isinstance(value, dict) and field.url_key in value:
        url = _with_images(value[field.url_key], field)
        return {**value, field.url_key: url}
    return value


def _input_field(model: Model) -> MediaField:
    field = model.input_field
    if field is None:
        raise UsageError(
            f"The model {model.id} takes no image.",
            hint="Choose one that does with -m, such as google/nano-banana-pro.",
        )
    return field


def _placed(field: MediaField, images: Sequence[Image], model: Model) -> Any:
    most = field.maximum if field.is_list else 1
    if most is not None and len(images) > most:
        raise UsageError(
            f"The model {model.id} takes at most {most} in {field.name}, "
            f"and {len(images)} are given.",
            hint="Leave some -i out.",
        )
    placed = [_item(field, image, at) for at, image in enumerate(images, start=1)]
    return placed if field.is_list else placed[0]


def _item(field: MediaField, image: Image, at: int) -> Any:
    if field.item == "url":
        return image
    # What the object must have beside the URL: full strength, a tag to refer to.
    extra = {"strength": 1, "tag": f"image{at}"}
    return {field.url_key: image, **{key: extra[key] for key in field.extra}}


def _with_urls(value: Any, url_of: Callable[[Image], str]) -> Any:
    if isinstance(value, LocalImage | RemoteImage):
        return url_of(value)
    if isinstance(value, list):
        return [_with_urls(item, url_of) for item in value]
    if isinstance(value, dict):
        return {key: _with_urls(item, url_of) for key, item in value.items()}
    return value


def _images(value: Any) -> Iterable[Image]:
    if isinstance(value, LocalImage | RemoteImage):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _images(item)
