"""
What is asked of a model: the fields of a request, with images still as images.

An image stands in the fields as itself until the request is sent; only then does it
become a URL, so that nothing is uploaded for a request that is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from krea_cli.catalog.model import Model
from krea_cli.catalog.pricing import PriceRange, estimate
from krea_cli.catalog.validation import Violation, find_violations
from krea_cli.inputs.local_file import Image, LocalFile, RemoteFile
from krea_cli.runtime.json_tree import Place, leaves, mapped

# What stands for the URL of a file that is not uploaded yet.
UPLOAD = "https://krea.ai/upload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One paid request, to be sent any number of times.  *fields* holds images as values.
    """

    model: Model
    fields: Mapping[str, Any]
    webhook: str | None = None

    def body(self, url_of: Callable[[Image], str | LocalFile]) -> dict[str, Any]:
        """
        The body, each image given as *url_of* says.
        """
        body: dict[str, Any] = mapped(
            dict(self.fields),
            lambda value: url_of(value) if isinstance(value, Image) else value,
        )
        return body

    @property
    def violations(self) -> list[Violation]:
        """
        What the model's schema has against it.
        """
        return find_violations(self.model.schema, self.body(_placeholder))

    @property
    def price(self) -> PriceRange | None:
        """
        Return the estimated price of sending it once, or None if it is unknown.
        """
        return estimate(self.model, self.body(_placeholder))

    @property
    def cost_usd(self) -> float | None:
        """
        Return the highest price that sending it once can have, or None.
        """
        price = self.price
        return None if price is None else price.high

    @property
    def images(self) -> tuple[Image, ...]:
        """
        What the model works on, then what is beside it, such as a mask or a style.
        """
        field = self.model.input_field
        main = field.name if field else None
        placed = sorted(self.placed_images, key=lambda each: each[0][0] != main)
        return tuple(image for _, image in placed)

    @property
    def placed_images(self) -> Iterator[tuple[Place, Image]]:
        """
        Each image with the keys and indexes that lead to it in the body.
        """
        return (
            (place, value)
            for place, value in leaves(self.fields)
            if isinstance(value, Image)
        )

    @property
    def undecodable_field(self) -> str | None:
        """
        The first field with text that UTF-8, and so JSON, cannot express.
        """
        for place, value in leaves(self.fields):
            text = value.url if isinstance(value, RemoteFile) else value
            if not all(_is_utf8(each) for each in (*place, text)):
                return str(place[0])
        return None

    @property
    def prompt(self) -> str | None:
        prompt = self.fields.get("prompt")
        return prompt if isinstance(prompt, str) else None

    @property
    def source(self) -> str | None:
        """
        The first image, as the user named it.
        """
        return next((image.name for image in self.images), None)

    @property
    def seed(self) -> int | None:
        """
        None when there is none, or it is none that anything could use.
        """
        seed = self.fields.get("seed")
        return seed if isinstance(seed, int) and abs(seed) < 2**63 else None


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
