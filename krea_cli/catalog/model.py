"""
A model of the service as a value: its fields, its prices, where its input goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from krea_cli.catalog.json_schema import is_url

# Where `-i` goes when no media field is required: what a model edits or starts from
# comes before what it only takes a style or a character from.
_INPUT_ORDER = (
    "image_urls",
    "image_url",
    "style_images",
    "image_style_references",
    "start_image",
    "reference_images",
    "character_reference_images",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaField:
    """
    A field that a file can be given for, as the URL under which the service finds it.

    *item* is "url" when the URL itself is the value, "object" when it stands in an
    object under *url_key*; *extra* are the other keys such an object must have, such
    as "strength".  A list takes *minimum* to *maximum* items (None: no limit declared).
    """

    name: str
    media: Literal["image", "video", "audio"]
    is_list: bool
    item: Literal["url", "object"]
    url_key: str | None
    extra: tuple[str, ...]
    minimum: int
    maximum: int | None
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePoint:
    """
    What one request costs in USD when it has these dimensions (names of the service,
    such as {"resolution": "4K"}; empty: always).
    """

    amount: float
    dimensions: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """
    One model: *path* is "image/google/nano-banana-pro", *schema* the closed JSON Schema
    of its request body.

    *aliases* are dropped field names with today's name.  *prices* is empty when no
    price is known, *prices_incomplete* when the service has more points than these;
    *price_date* is the day or the month of the prices, ISO 8601.
    """

    path: str
    name: str
    schema: Mapping[str, Any]
    aliases: Mapping[str, str]
    prices: tuple[PricePoint, ...]
    price_date: str | None
    prices_incomplete: bool
    deprecated: bool

    @classmethod
    def from_json(cls, path: str, data: Mapping[str, Any]) -> Model:
        """
        A model of the catalog document; keys without a value are left out there.
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
            deprecated=data.get("deprecated", False),
        )

    @classmethod
    def unknown(cls, path: str) -> Model:
        """
        A model that the catalog lacks: no field of it is known.
        """
        return cls(
            path=path,
            name=path,
            schema={"type": "object", "properties": {}},
            aliases={},
            prices=(),
            price_date=None,
            prices_incomplete=False,
            deprecated=False,
        )

    @property
    def kind(self) -> str:
        """
        "image", "video", "enhance", "3d" or "audio".
        """
        return self.path.partition("/")[0]

    @property
    def result_kind(self) -> str:
        """
        What it makes: "image", "video", "3d" or "audio"; an enhancer what it is given.
        """
        if self.kind != "enhance":
            return self.kind
        return self.input_field.media if self.input_field else "image"

    @property
    def takes_image(self) -> bool:
        """
        Whether `-i` gives it an image.
        """
        return self.input_field is not None and self.input_field.media == "image"

    @property
    def id(self) -> str:
        """
        The vendor and the model, such as "google/nano-banana-pro".
        """
        return self.path.partition("/")[2]

    @property
    def fields(self) -> Mapping[str, Any]:
        """
        The JSON Schema of each field by its name.
        """
        properties: Mapping[str, Any] = self.schema["properties"]
        return properties

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(self.schema.get("required", ()))

    @property
    def media_fields(self) -> tuple[MediaField, ...]:
        """
        The fields that a file can be given for, in the order of the schema.
        """
        found = (
            _media_field(name, schema, required=name in self.required)
            for name, schema in self.fields.items()
        )
        return tuple(media for media in found if media)

    @property
    def input_field(self) -> MediaField | None:
        """
        The field that takes `-i`: a media field that the model requires (the video, for
        models that work on one), else the first by the order above, else None.
        """
        media = {field.name: field for field in self.media_fields}
        required = [field.name for field in media.values() if field.required]
        for name in (*required, *_INPUT_ORDER):
            if name in media:
                return media[name]
        return None


def snake_case(name: str) -> str:
    """
    A name of the old API, which had them in camelCase, as fields are named today.
    """
    return re.sub("(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _media_field(
    name: str, schema: Mapping[str, Any], *, required: bool
) -> MediaField | None:
    is_list = schema.get("type") == "array"
    item = schema.get("items", {}) if is_list else schema
    properties = item.get("properties", {})
    url_key = next((key for key in ("url", "uri") if key in properties), None)
    if not (is_url(item) or (url_key and is_url(properties[url_key]))):
        return None
    return MediaField(
        name=name,
        media="video" if "video" in name else "audio" if "audio" in name else "image",
        is_list=is_list,
        item="object" if url_key else "url",
        url_key=url_key,
        extra=tuple(key for key in item.get("required", ()) if key != url_key),
        minimum=schema.get("minItems", 0) if is_list else 1,
        maximum=schema.get("maxItems") if is_list else 1,
        required=required,
    )
