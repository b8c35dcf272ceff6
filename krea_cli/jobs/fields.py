"""
The fields of a request, from the words of the command line.

Nothing here ends at the first fault: all are kept, so that all can be told at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from krea_cli.catalogue.model import MediaField, Model
from krea_cli.catalogue.validation import Fault, convert
from krea_cli.errors import UsageError
from krea_cli.jobs.inputs import Image, LocalImage, RemoteImage

# The fields that an option stands for, the most usual name first.
OPTIONS = {
    "strength": ("strength", "denoising_strength"),
    "width": ("width", "target_width"),
    "height": ("height", "target_height"),
}
# Services pass over blanks before it.
_DATA_URI = re.compile(r"\s*data:", re.IGNORECASE)
_MEDIA_DATA_URI = re.compile(r"\s*data:(image|video|audio)/", re.IGNORECASE)
_A = {"image": "an image", "video": "a video", "audio": "a sound", "3d": "a 3D model"}


@dataclass(frozen=True, slots=True)
class Param:
    """
    One field as it was given: text to convert, or JSON as it is; *source* is how it was
    given, such as "-p seed".
    """

    name: str
    value: Any
    is_json: bool
    source: str

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
            return cls(name.strip(), value, is_json=False, source=f"-p {name}")
        name = name[:-1].strip()
        try:
            parsed = json.loads(value, parse_constant=_no_number)
            return cls(name, parsed, is_json=True, source=f"-p {name}")
        except (ValueError, RecursionError) as exc:
            raise UsageError(f"-p {name}:= is not followed by JSON: {exc}.") from exc


@dataclass(slots=True)
class Fields:
    """
    What has come together for *model*: *values* with images as themselves, *faults*.

    *read* gives the image of a path; *warn* is told what goes on otherwise than asked.
    """

    model: Model
    read: Callable[[str], Image]
    warn: Callable[[str], None]
    values: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    _sources: dict[str, str] = field(default_factory=dict)

    def fill(self, given: Mapping[str, Any]) -> None:
        """
        The fields of a JSON object; what is given otherwise wins over them.
        """
        for name, value in given.items():
            today = self._today(name)
            self.values[today] = self._with_images(today, value)

    def add(self, params: Iterable[Param]) -> None:
        for param in params:
            name = self._today(param.name)
            value = self._value(name, param)
            before = self._sources.get(name)
            if before is None:
                self.values[name] = value
            elif isinstance(self.values[name], list) and not param.is_json:
                self.values[name] = [*self.values[name], *value]
            else:
                self._fault(name, f"is given twice: by {before} and {param.source}")
            self._sources[name] = param.source

    def add_options(self, options: Mapping[str, str | None]) -> None:
        """
        Fields that have an option of their own, under the model's name for them.
        """
        for option, text in options.items():
            if text is None:
                continue
            names = OPTIONS.get(option, (option,))
            name = next((name for name in names if name in self.model.fields), None)
            source = f"--{option.replace('_', '-')}"
            if name is not None:
                self.add([Param(name, text, is_json=False, source=source)])
            elif not (option == "strength" and self._has_strong_items):
                self.faults.append(Fault(source, f"{self.model.id} has no such field"))

    def add_images(self, images: Sequence[Image], strength: str | None) -> None:
        """
        The images of -i, under the field that takes them.
        """
        if not images:
            return
        media = self.model.input_field
        if media is None:
            self.faults.append(Fault("-i", f"{self.model.id} takes no image"))
        elif media.name in self._sources:
            before = self._sources[media.name]
            self._fault(media.name, f"is given twice: by {before} and -i")
        elif not media.is_list and len(images) > 1:
            self._fault(media.name, f"takes one image, and {len(images)} are given")
        else:
            items = [
                self._item(media, image, at, strength)
                for at, image in enumerate(images, start=1)
            ]
            self.values[media.name] = items if media.is_list else items[0]

    @property
    def _has_strong_items(self) -> bool:
        media = self.model.input_field
        return media is not None and "strength" in media.extra

    def _fault(self, name: str, message: str) -> None:
        self.faults.append(Fault(name, message))

    def _today(self, name: str) -> str:
        """
        A field by its name of today: those of the old API were in camelCase.
        """
        fields = self.model.fields
        if name in fields:
            return name
        if not name[:1].islower():
            return name
        snake = re.sub("(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
        today = self.model.aliases.get(name) or (snake if snake in fields else None)
        if today is None:
            return name
        self.warn(f"{name} is the old name of the field {today}; sent as {today}.")
        return today

    def _value(self, name: str, param: Param) -> Any:
        media = self._media(name)
        if param.is_json:
            return self._with_images(name, param.value)
        if media is not None and param.value.startswith("@"):
            image = self.read(param.value[1:])
            item = self._item(media, image, 1, None)
            return [item] if media.is_list else item
        schema = self.model.fields.get(name)
        if schema is None:
            return self._with_images(name, param.value)
        try:
            return self._with_images(name, convert(schema, param.value))
        except ValueError as exc:
            self._fault(name, str(exc))
            return param.value

    def _media(self, name: str) -> MediaField | None:
        found = (media for media in self.model.media_fields if media.name == name)
        return next(found, None)

    def _with_images(self, name: str, value: Any) -> Any:
        """
        A media field's value with its web addresses as images, which can be sent
        otherwise when the service refuses them, and its data URIs as any other file; of
        a field that the catalogue lacks those data URIs that say to be one.
        """
        media = self._media(name)
        if media is None and name in self.model.fields:
            return value
        return self._found_images(value, media)

    def _found_images(self, value: Any, media: MediaField | None) -> Any:
        if isinstance(value, str):
            return self._found_image(value, media)
        if isinstance(value, list):
            return [self._found_images(item, media) for item in value]
        if isinstance(value, dict):
            keys = value.keys() & {media.url_key} if media else value
            found = {key: self._found_images(value[key], media) for key in keys}
            return {**value, **found}
        return value

    def _found_image(self, text: str, media: MediaField | None) -> str | Image:
        if (_DATA_URI if media else _MEDIA_DATA_URI).match(text):
            image = self.read(text.strip())
            if media:
                self._check_kind(image, media)
            return image
        is_remote = media and text.startswith(("https:", "http:"))
        return RemoteImage(text) if is_remote else text

    def _check_kind(self, image: Image, media: MediaField) -> None:
        if isinstance(image, LocalImage) and image.media.kind != media.media:
            wanted, found = _A[media.media], _A[image.media.kind]
            self._fault(media.name, f"takes {wanted}, and {image.name} is {found}")

    def _item(
        self, media: MediaField, image: Image, at: int, strength: str | None
    ) -> Any:
        """
        What stands for an image in its field: itself, or an object with what such an
        object must have: full strength, a tag to refer to, a word that is always the
        same.
        """
        self._check_kind(image, media)
        if media.item == "url":
            return image
        schema = self.model.fields[media.name].get("items", {})
        extra: dict[str, Any] = {"strength": 1, "tag": f"image{at}"}
        if strength is not None:
            extra["strength"] = convert(schema["properties"]["strength"], strength)
        for key in media.extra:
            extra.setdefault(key, schema["properties"][key].get("const"))
        return {media.url_key: image, **{key: extra[key] for key in media.extra}}


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
