"""
Represent a request to a model. It contains images that are not uploaded yet.

Images become URLs only when the request is submitted, so nothing is uploaded for a
request that is never submitted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from krea_cli.catalog.json_schema import Schema, fields_of, forms, items_of
from krea_cli.catalog.model import Model
from krea_cli.catalog.pricing import PriceRange, estimate
from krea_cli.catalog.validation import Violation, find_violations
from krea_cli.inputs.local_file import Image, LocalFile, RemoteFile
from krea_cli.runtime.json_tree import Place, leaves, mapped

# Placeholder for the URL of a file that is not uploaded yet.
UPLOAD = "https://krea.ai/upload"


class Request(NamedTuple):
    """
    A paid request, which can be submitted any number of times.

    `fields` has images as values.
    """

    model: Model
    fields: Mapping[str, Any]
    webhook: str | None = None

    def body(self, url_of: Callable[[Image], str | LocalFile]) -> dict[str, Any]:
        """
        Return the request body, with each image replaced by the result of `url_of`.
        """
        body: dict[str, Any] = mapped(
            dict(self.fields),
            lambda value: url_of(value) if isinstance(value, Image) else value,
        )
        return body

    @property
    def violations(self) -> list[Violation]:
        """
        Return all violations of the model's schema.
        """
        return find_violations(self.model.schema, self.body(_placeholder))

    @property
    def price(self) -> PriceRange | None:
        """
        Return the estimated price of one submission in USD, or None if unknown.
        """
        return estimate(self.model, self.body(_placeholder))

    @property
    def cost_usd(self) -> float | None:
        """
        Return the highest possible price of one submission in USD, or None if unknown.
        """
        price = self.price
        return None if price is None else price.high

    @property
    def images(self) -> tuple[Image, ...]:
        """
        Return the images in the request. Images to edit come before others, such as
        masks.
        """
        field = self.model.input_field
        main = field.name if field else None
        placed = sorted(self.placed_images, key=lambda each: each[0][0] != main)
        return tuple(image for _, image in placed)

    @property
    def placed_images(self) -> Iterator[tuple[Place, Image]]:
        """
        Yield each image with the keys and indexes of its place in the body.
        """
        return (
            (place, value)
            for place, value in leaves(self.fields)
            if isinstance(value, Image)
        )

    @property
    def undecodable_field(self) -> str | None:
        """
        Return the first field with text that UTF-8, and therefore JSON, cannot
        represent.
        """
        for place, value in leaves(self.fields):
            text = value.url if isinstance(value, RemoteFile) else value
            if not all(_is_utf8(each) for each in (*place, text)):
                return str(place[0])
        return None

    @property
    def field_with_nul(self) -> str | None:
        """
        Return the first field with a NUL character, which services reject.
        """
        for place, value in leaves(self.fields):
            if isinstance(value, str) and "\0" in value:
                return str(place[0])
        return None

    @property
    def is_long_inline(self) -> bool:
        """
        Return True if a local file would be too long for its field as a data URI.
        """
        return any(
            isinstance(image, LocalFile)
            and image.data_uri_bytes > _max_length(self.model.schema, place)
            for place, image in self.placed_images
        )

    @property
    def prompt(self) -> str | None:
        prompt = self.fields.get("prompt")
        return prompt if isinstance(prompt, str) else None

    @property
    def source(self) -> str | None:
        """
        Return the name of the first image, as the user gave it.
        """
        return next((image.name for image in self.images), None)

    @property
    def seed(self) -> int | None:
        """
        Return the seed, or None if there is no valid one.
        """
        seed = self.fields.get("seed")
        return seed if isinstance(seed, int) and abs(seed) < 2**63 else None


def _max_length(schema: Schema, place: Place) -> float:
    """
    Return the maximum length that the schema allows at a place in the body.
    """
    for key in place:
        inner = items_of(schema) if isinstance(key, int) else fields_of(schema).get(key)
        schema = inner or {}
    limits = [form["maxLength"] for form in forms(schema) if "maxLength" in form]
    return max(limits, default=math.inf)


def _placeholder(image: Image) -> str:
    return image.url if isinstance(image, RemoteFile) else UPLOAD


def _is_utf8(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
