"""
Collect the fields of a request from the command line.

All violations are kept, so that users see them at once.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from krea_cli.catalog.json_schema import Schema, fields_of, is_url, items_of, map_texts
from krea_cli.catalog.model import MediaField, Model, snake_case
from krea_cli.catalog.schema_text import preview_json
from krea_cli.catalog.validation import Violation, convert
from krea_cli.errors import UsageError
from krea_cli.inputs.local_file import Image, LocalFile
from krea_cli.inputs.media_url import image_at, is_address, is_media
from krea_cli.requests.param import Param
from krea_cli.requests.style import FIELD as STYLES
from krea_cli.runtime.user_paths import is_file_uri

# Field names that each option stands for, the most common first.
OPTIONS = {
    "strength": ("strength", "denoising_strength"),
    "width": ("width", "target_width"),
    "height": ("height", "target_height"),
}
_NUMBERS = {"width", "height", "seed", "strength"}
FILE_NOUNS = {
    "image": "an image",
    "video": "a video",
    "audio": "an audio file",
    "3d": "a 3D model",
}


class FieldValues:
    """
    The fields for `model`. Their `values` contain images as objects.

    `violations` lists wrong values. `dropped` lists violations whose values were left
    out, and `input_errors` has the errors behind them. `has_unknown` means that the
    known description of the model lacks something that was given. `warnings` says what
    differs from the user's request. `read` opens the image at a path.
    """

    def __init__(self, model: Model, read: Callable[[str], Image]) -> None:
        self.model = model
        self.read = read
        self.values = dict[str, Any]()
        self.violations = list[Violation]()
        self.dropped = list[Violation]()
        self.input_errors = list[UsageError]()
        self.has_unknown = False
        self.warnings = list[str]()
        self._sources = dict[str, str]()
        # Objects that got full strength because the user set none.
        self._strong = list[dict[str, Any]]()

    def fill(self, given: Mapping[str, Any]) -> None:
        """
        Add the fields of a JSON object. Fields given in other ways override them.
        """
        for name, value in given.items():
            today = self._current_name(name)
            self.has_unknown |= today not in self.model.fields
            self.values[today] = self._with_images(today, value)

    @contextmanager
    def collect_errors(self, name: str) -> Iterator[None]:
        """
        Record errors about the field, to report them together with others.
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
                self._drop_repeated(name, source, param.source)
            self._sources[name] = param.source

    @property
    def lacks_input_field(self) -> bool:
        """
        Return whether a file was dropped because no known field takes it.
        """
        return any(each.field == "-i" for each in self.dropped)

    def _drop_repeated(self, name: str, first: str, second: str) -> None:
        sources = first if first == second else f"{first} and {second}"
        self._drop(name, f"is set twice with {sources}")

    def add_images(self, images: Sequence[Image]) -> None:
        """
        Add the images of -i to the field for inputs.
        """
        if not images:
            return
        media = self.model.input_field
        if media is None:
            self.has_unknown = True
            self._drop("-i", f"{self.model.id} {self._other_inputs(images[0])}")
        elif media.name in self._sources:
            self._drop_repeated(media.name, self._sources[media.name], "-i")
        elif not media.is_list and len(images) > 1:
            self._drop(media.name, f"takes one image, not {len(images)}")
        else:
            items = [
                self._item(media, image, at) for at, image in enumerate(images, start=1)
            ]
            self.values[media.name] = items if media.is_list else items[0]

    def _other_inputs(self, image: Image) -> str:
        """
        Explain why -i has no field, and list the fields that accept such files.
        """
        if not self.model.fields:
            return "has no known field for files"
        kind = image.media.kind if isinstance(image, LocalFile) else "image"
        fields = [each for each in self.model.media_fields if each.media == kind]
        if not fields:
            return "does not take an image"
        name = shlex.quote(image.name)
        params = " or ".join(f"-p {each.name}=@{name}" for each in fields)
        return f"takes images in several fields; choose one: {params}"

    def add_options(self, options: Mapping[str, str | None]) -> None:
        """
        Add fields that have their own option, under the model's name for them.

        Call this after adding images: a strength may apply to them.
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

    def add_style(self, style: Mapping[str, Any]) -> None:
        """
        Add a trained style to the model's field for styles.

        The first one replaces the styles of a file or an earlier request.
        """
        before = self._sources.get(STYLES)
        if STYLES not in self.model.fields:
            self.has_unknown = True
            self._drop("--style", f"{self.model.id} takes no trained styles")
        elif before not in (None, "--style"):
            self._drop_repeated(STYLES, before, "--style")
        else:
            kept = self.values[STYLES] if before else []
            self.values[STYLES] = [*kept, style]
            self._sources[STYLES] = "--style"

    def restore(self) -> None:
        """
        Replace the recorded inputs of an earlier request with images.
        """
        from krea_cli.requests.recorded_request import restore_inputs

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
        Return the value of an option for which the model has no known field.
        """
        self.has_unknown = True
        media = self.model.media_fields
        if option == "strength" and any("strength" in each.extra for each in media):
            self._report(source, "needs an image (-i)")
        else:
            self._report(source, f"is not a field of {self.model.id}")
        with suppress(ValueError):
            return convert({"type": "number"} if option in _NUMBERS else {}, text)
        return text

    def _report(self, name: str, message: str) -> None:
        self.violations.append(Violation(name, message))

    def _drop(self, name: str, message: str) -> None:
        self.dropped.append(Violation(name, message))

    def _current_name(self, name: str) -> str:
        """
        Return the current name of a field. Old camelCase names are converted.
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
        self.warnings.append(f"{name} is now called {today}; submitting it as {today}.")
        return today

    def _value(self, name: str, param: Param, at: int) -> Any:
        """
        Convert a parameter to a value. `at` is its index if the field takes a list.
        """
        schema = self.model.fields.get(name)
        self.has_unknown |= schema is None
        if param.is_json:
            return self._with_images(name, param.value, reads_files=True)
        if schema is None:
            return self._unknown_value(name, param.value)
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

    def _unknown_value(self, name: str, text: str) -> Any:
        """
        Convert the value of an unknown field.

        "@FILE" always means a file to upload, because no service expects such text.
        """
        if not (text.startswith("@") or is_file_uri(text)):
            return self._with_images(name, text)
        try:
            return image_at(text, self.read)
        except UsageError as exc:
            given = shlex.quote(f"{name}:={json.dumps(text)}")
            way = f"To send this text unchanged: -p {given}"
            self.input_errors.append(exc.but(way))
            self._drop(name, f"{exc.message} {way}")
        return text

    def _media(self, name: str) -> MediaField | None:
        found = (media for media in self.model.media_fields if media.name == name)
        return next(found, None)

    def _with_images(self, name: str, value: Any, *, reads_files: bool = False) -> Any:
        """
        Replace URLs in a field's value with images, where the model takes files.

        Web addresses become images so that they can be uploaded if Krea rejects them.
        Data URIs do too, and "@FILE" if `reads_files` is set. In unknown fields, only
        data URIs of media types become images.
        """
        media = self._media(name)

        def change(at: str, schema: Schema | None, text: str) -> str | Image:
            if schema is None:
                return self._image(at, text) if is_media(text) else text
            if not is_url(schema):
                return text
            if not (is_address(text) and (reads_files or text[0] != "@")):
                self._report(at, f"must be a URL or @FILE, not {preview_json(text)}")
                return text
            image = self._image(at, text)
            if media:
                self._check_kind(image, media)
            return image

        return map_texts(self.model.fields.get(name), value, name, change)

    def _image(self, name: str, text: str) -> str | Image:
        """
        Return the image at a path or URL, or the text itself if it cannot be used.
        """
        with self.collect_errors(name):
            return image_at(text, self.read)
        return text

    def _check_kind(self, image: str | Image, media: MediaField) -> None:
        if isinstance(image, LocalFile) and image.media.kind != media.media:
            wanted, found = FILE_NOUNS[media.media], FILE_NOUNS[image.media.kind]
            self._report(media.name, f"needs {wanted}, but {image.name} is {found}")

    def _item(self, media: MediaField, image: str | Image, at: int) -> Any:
        """
        Return the value for an image: itself, or an object if the field requires one.

        The object has the required keys: full strength, a tag to refer to, a constant.
        """
        self._check_kind(image, media)
        if media.item == "url":
            return image
        schema = self.model.fields[media.name]
        properties = fields_of(items_of(schema) if media.is_list else schema)
        item: dict[str, Any] = {str(media.url_key): image}
        usual = {"strength": 1, "tag": f"{media.media}{at}"}
        for key in media.extra:
            item[key] = usual.get(key, properties.get(key, {}).get("const"))
        if "strength" in media.extra:
            self._strong.append(item)
        return item
