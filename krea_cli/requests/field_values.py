"""
The fields of a request, from the words of the command line.

Nothing here ends at the first fault: all are kept, so that all can be told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from krea_cli.catalog.json_schema import Schema, is_url, map_texts
from krea_cli.catalog.model import MediaField, Model, snake_case
from krea_cli.catalog.schema_text import preview_json
from krea_cli.catalog.validation import Violation, convert
from krea_cli.errors import UsageError
from krea_cli.inputs.local_file import Image, LocalFile
from krea_cli.inputs.media_url import image_at, is_address, is_media
from krea_cli.requests.param import Param
from krea_cli.requests.recorded_request import restore_inputs

# The fields that an option stands for, the most usual name first.
OPTIONS = {
    "strength": ("strength", "denoising_strength"),
    "width": ("width", "target_width"),
    "height": ("height", "target_height"),
}
_NUMBERS = {"width", "height", "seed", "strength"}
_A = {"image": "an image", "video": "a video", "audio": "a sound", "3d": "a 3D model"}


@dataclass(slots=True)
class FieldValues:
    """
    What has come together for *model*: *values* with images as themselves, *faults*,
    and *lost*, the faults for which something that was given is not in the values;
    *unread* are the errors behind those of them that no schema knows of.

    *read* gives the image of a path; *warn* is told what goes on otherwise than asked.
    """

    model: Model
    read: Callable[[str], Image]
    warn: Callable[[str], None]
    values: dict[str, Any] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    dropped: list[Violation] = field(default_factory=list)
    input_errors: list[UsageError] = field(default_factory=list)
    _sources: dict[str, str] = field(default_factory=dict)
    # What was made with full strength, as none was given.
    _strong: list[dict[str, Any]] = field(default_factory=list)

    def fill(self, given: Mapping[str, Any]) -> None:
        """
        The fields of a JSON object; what is given otherwise wins over them.
        """
        for name, value in given.items():
            today = self._current_name(name)
            self.values[today] = self._with_images(today, value)

    @contextmanager
    def collect_errors(self, name: str) -> Iterator[None]:
        """
        Keep the error that ends what is done for the field, to be told with the others.
        """
        try:
            yield
        except UsageError as exc:
            self.input_errors.append(exc)
            self._drop(name, " ".join([exc.message, *exc.hints]))

    def add(self, params: Iterable[Param]) -> None:
        for param in params:
            name = self._current_name(param.name)
            source = self._sources.get(name)
            before = self.values[name] if source else None
            given = len(before) if isinstance(before, list) else 0
            value = self._value(name, param, given + 1)
            if source is None:
                self.values[name] = value
            elif type(before) is type(value) is list and not param.is_json:
                self.values[name] = [*before, *value]
            else:
                self._drop(name, f"is given twice: by {source} and {param.source}")
            self._sources[name] = param.source

    def add_images(self, images: Sequence[Image]) -> None:
        """
        The images of -i, under the field that takes them.
        """
        if not images:
            return
        media = self.model.input_field
        if media is None:
            is_known = bool(self.model.fields)
            takes = "takes no image" if is_known else "has no field that krea knows"
            self._drop("-i", f"{self.model.id} {takes}")
        elif media.name in self._sources:
            before = self._sources[media.name]
            self._drop(media.name, f"is given twice: by {before} and -i")
        elif not media.is_list and len(images) > 1:
            self._drop(media.name, f"takes one image, and {len(images)} are given")
        else:
            items = [
                self._item(media, image, at) for at, image in enumerate(images, start=1)
            ]
            self.values[media.name] = items if media.is_list else items[0]

    def add_options(self, options: Mapping[str, str | None]) -> None:
        """
        Fields that have an option of their own, under the model's name for them, or
        that of the option; after the images, which a strength may be for.
        """
        for option, text in options.items():
            if text is None:
                continue
            names = OPTIONS.get(option, (option,))
            name = next((name for name in names if name in self.model.fields), None)
            source = f"--{option.replace('_', '-')}"
            if name is not None:
                self.add([Param(name, text, is_json=False, source=source)])
            elif option == "strength" and self._strong:
                self._set_strength(text)
            else:
                value = self._unknown(option, source, text)
                self.add([Param(option, value, is_json=True, source=source)])

    def restore(self) -> None:
        """
        Put the image itself for each one of an earlier request that is left.
        """
        given, self.values = self.values, {}
        for name, value in given.items():
            with self.collect_errors(name):
                self.values[name] = restore_inputs(value, self.read)

    def _set_strength(self, text: str) -> None:
        try:
            strength = convert({"type": "number"}, text)
        except ValueError as exc:
            self._drop("--strength", str(exc))
            return
        for item in self._strong:
            item["strength"] = strength

    def _unknown(self, option: str, source: str, text: str) -> Any:
        """
        The value of an option for which the model, as far as it is known, has no field.
        """
        media = self.model.media_fields
        if option == "strength" and any("strength" in each.extra for each in media):
            self._report(source, "is that of an image, and none is given")
        else:
            self._report(source, f"{self.model.id} has no such field")
        with suppress(ValueError):
            return convert({"type": "number"} if option in _NUMBERS else {}, text)
        return text

    def _report(self, name: str, message: str) -> None:
        self.violations.append(Violation(name, message))

    def _drop(self, name: str, message: str) -> None:
        self.dropped.append(Violation(name, message))

    def _current_name(self, name: str) -> str:
        """
        A field by its name of today: those of the old API were in camelCase.
        """
        fields = self.model.fields
        if name in fields:
            return name
        if not name[:1].islower():
            return name
        snake = snake_case(name)
        today = self.model.aliases.get(name) or (snake if snake in fields else None)
        if today is None:
            return name
        self.warn(f"{name} is the old name of the field {today}; sent as {today}.")
        return today

    def _value(self, name: str, param: Param, at: int) -> Any:
        """
        What a parameter means, as number *at* of its list if it has one.
        """
        schema = self.model.fields.get(name)
        if param.is_json or schema is None:
            return self._with_images(name, param.value, reads_files=param.is_json)
        media = self._media(name)
        if media and media.item == "object" and is_address(param.value):
            item = self._item(media, self._image(name, param.value), at)
            return [item] if media.is_list else item
        try:
            value = convert(schema, param.value)
        except ValueError as exc:
            self._report(name, str(exc))
            return param.value
        return self._with_images(name, value, reads_files=True)

    def _media(self, name: str) -> MediaField | None:
        found = (media for media in self.model.media_fields if media.name == name)
        return next(found, None)

    def _with_images(self, name: str, value: Any, *, reads_files: bool = False) -> Any:
        """
        A field's value with images where the model wants URLs: its web addresses, which
        can be sent otherwise when the service refuses them, its data URIs and, when it
        *reads_files*, "@FILE".  Where nothing is known of the model those data URIs
        that say to be media are images.
        """
        media = self._media(name)

        def change(at: str, schema: Schema | None, text: str) -> str | Image:
            if schema is None:
                return self._image(at, text) if is_media(text) else text
            if not is_url(schema):
                return text
            if not (is_address(text) and (reads_files or text[0] != "@")):
                self._report(
                    at, f"must be a URL, or @FILE by -p, not {preview_json(text)}"
                )
                return text
            image = self._image(at, text)
            if media:
                self._check_kind(image, media)
            return image

        return map_texts(self.model.fields.get(name), value, name, change)

    def _image(self, name: str, text: str) -> str | Image:
        """
        As `image_at`; the text itself, too, where it cannot be used.
        """
        with self.collect_errors(name):
            return image_at(text, self.read)
        return text

    def _check_kind(self, image: str | Image, media: MediaField) -> None:
        if isinstance(image, LocalFile) and image.media.kind != media.media:
            wanted, found = _A[media.media], _A[image.media.kind]
            self._report(media.name, f"takes {wanted}, and {image.name} is {found}")

    def _item(self, media: MediaField, image: str | Image, at: int) -> Any:
        """
        What stands for an image in its field: itself, or an object with what such an
        object must have: full strength, a tag to refer to, a word that is always the
        same.
        """
        self._check_kind(image, media)
        if media.item == "url":
            return image
        schema = self.model.fields[media.name]
        properties = (schema["items"] if media.is_list else schema)["properties"]
        item: dict[str, Any] = {str(media.url_key): image}
        usual = {"strength": 1, "tag": f"{media.media}{at}"}
        for key in media.extra:
            item[key] = usual.get(key, properties.get(key, {}).get("const"))
        if "strength" in media.extra:
            self._strong.append(item)
        return item
