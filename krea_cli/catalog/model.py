"""
Describe a model: its fields, its prices, and the field for its input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, NamedTuple

from krea_cli.catalog.json_schema import (
    fields_of,
    forms,
    is_url,
    items_of,
    required_of,
)

# Preferred fields for `-i` if no media field is required. Images to edit or to start
# from come before style and character references.
_INPUT_ORDER = (
    "image_urls",
    "image_url",
    "style_images",
    "image_style_references",
    "start_image",
    "reference_images",
    "character_reference_images",
)
_RESULTS = {"image", "video", "3d", "audio"}
# Images that only accompany another one.
_BESIDE = r"mask|(?:^|_)(?:end|last)(?:_|$)"
_MESH = r"(?:^|_)(?:model|mesh|glb|3d)s?(?:_|$)"


class MediaField(NamedTuple):
    """
    A field for files, which are passed as URLs.

    `item` is "url" if the value is the URL itself, or "object" if it is an object with
    the URL under `url_key`. `extra` lists the other keys that the object requires, such
    as "strength". A list takes `minimum` to `maximum` items (None: no limit).
    """

    name: str
    media: Literal["image", "video", "audio", "3d"]
    is_list: bool
    item: Literal["url", "object"]
    url_key: str | None
    extra: tuple[str, ...]
    minimum: int
    maximum: int | None
    required: bool


class PricePoint(NamedTuple):
    """
    The price in USD of requests with these dimensions.

    Dimensions have the API's names, as in {"resolution": "4K"}. A price without
    dimensions is for any request.
    """

    amount: float
    dimensions: Mapping[str, Any]


class ModelFacts(NamedTuple):
    """
    The facts about a model.

    `path` is like "image/google/nano-banana-pro", and `schema` is the JSON Schema of
    request bodies. `aliases` maps dropped field names to current ones. `prices` is
    empty if no price is known. `prices_incomplete` means that the service has more
    prices. If `price_unit` is "second", prices are per second of the result.
    `price_date` is the day or month of the prices (ISO 8601).
    """

    path: str
    name: str
    schema: Mapping[str, Any]
    aliases: Mapping[str, str]
    prices: tuple[PricePoint, ...]
    price_date: str | None
    prices_incomplete: bool
    price_unit: str
    deprecated: bool


class Model(ModelFacts):
    """
    A model, and what follows from its facts.
    """

    @classmethod
    def from_json(cls, path: str, data: Mapping[str, Any]) -> Model:
        """
        Parse a model of the catalog document. Empty values may be missing.
        """
        prices = data.get("prices", {})
        return cls(
            path=path,
            name=data["name"],
            schema=data["schema"],
            aliases=data.get("aliases", {}),
            prices=tuple(
                PricePoint(amount=amount, dimensions=dimensions)
                for amount, dimensions in prices.get("points", ())
            ),
            price_date=prices.get("date"),
            prices_incomplete=prices.get("incomplete", False),
            price_unit=prices.get("unit", "request"),
            deprecated=data.get("deprecated", False),
        )

    @classmethod
    def unknown(cls, path: str) -> Model:
        """
        Return a placeholder for a model that the catalog lacks. It has no known fields.
        """
        return cls(
            path=path,
            name=path,
            schema={"type": "object", "properties": {}},
            aliases={},
            prices=(),
            price_date=None,
            prices_incomplete=False,
            price_unit="request",
            deprecated=False,
        )

    @property
    def kind(self) -> str:
        """
        Return the first part of the path.

        This is "image", "video", "enhance", "3d", "audio", or a kind that this version
        does not know.
        """
        return self.path.partition("/")[0]

    @property
    def result_kind(self) -> str | None:
        """
        Return the kind of result: "image", "video", "3d" or "audio".

        Enhancers return the kind of their input. Return None if this version does not
        know what the model produces.
        """
        if self.kind != "enhance":
            return self.kind if self.kind in _RESULTS else None
        return self.input_field.media if self.input_field else "image"

    @property
    def takes_image(self) -> bool:
        return self.input_field is not None and self.input_field.media == "image"

    @property
    def id(self) -> str:
        """
        Return the id with the vendor, such as "google/nano-banana-pro".
        """
        return self.path.partition("/")[2]

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """
        Return the JSON Schema of each field by name.
        """
        return fields_of(self.schema)

    @cached_property
    def required(self) -> tuple[str, ...]:
        return required_of(self.schema)

    @cached_property
    def media_fields(self) -> tuple[MediaField, ...]:
        """
        Return the fields for files, in the order of the schema.
        """
        required = self.required
        found = (
            _media_field(name, schema, required=name in required)
            for name, schema in self.fields.items()
        )
        return tuple(media for media in found if media)

    @cached_property
    def input_field(self) -> MediaField | None:
        """
        Return the field for `-i`, or None.

        This is a required media field (for models that edit a video: the video).
        Otherwise it is the first of the preferred fields, by current or older name, or
        else the only image field.
        """
        media = {field.name: field for field in self.media_fields}
        required = [field for field in media.values() if field.required]
        required.sort(key=lambda field: field.media == "3d")
        aliases = [self.aliases[name] for name in _INPUT_ORDER if name in self.aliases]
        for name in (*(field.name for field in required), *_INPUT_ORDER, *aliases):
            if name in media:
                return media[name]
        images = [
            field
            for field in media.values()
            if field.media == "image" and not re.search(_BESIDE, field.name)
        ]
        return images[0] if len(images) == 1 else None


def snake_case(name: str) -> str:
    """
    Convert a camelCase name of the old API to a current name.
    """
    return re.sub("(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _media_field(
    name: str, schema: Mapping[str, Any], *, required: bool
) -> MediaField | None:
    item = items_of(schema)
    is_list = _takes_url(item)
    if not is_list:
        item = schema
    if not _takes_url(item):
        return None
    url_key = None if is_url(item) else _url_key(item)
    lists = [form for form in forms(schema) if "items" in form]
    return MediaField(
        name=name,
        media=_media_of(name),
        is_list=is_list,
        item="object" if url_key else "url",
        url_key=url_key,
        extra=tuple(key for key in required_of(item) if key != url_key),
        minimum=lists[0].get("minItems", 0) if is_list else 1,
        maximum=lists[0].get("maxItems") if is_list else 1,
        required=required,
    )


def _takes_url(schema: Mapping[str, Any]) -> bool:
    return is_url(schema) or _url_key(schema) is not None


def _url_key(schema: Mapping[str, Any]) -> str | None:
    fields = fields_of(schema)
    found = (key for key in ("url", "uri") if key in fields and is_url(fields[key]))
    return next(found, None)


def _media_of(name: str) -> Literal["image", "video", "audio", "3d"]:
    if "video" in name:
        return "video"
    if "audio" in name:
        return "audio"
    return "3d" if "image" not in name and re.search(_MESH, name) else "image"
