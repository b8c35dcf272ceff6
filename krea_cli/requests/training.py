"""
Build requests that train a style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from krea_cli.catalog.training import MODELS, training_model
from krea_cli.errors import InputError, InvalidRequestError, UsageError
from krea_cli.inputs.local_file import Image, LocalFile
from krea_cli.requests.prepare import check_text, check_webhook
from krea_cli.requests.request import Request

# Krea reportedly rejects fewer images. The API documentation has no limit.
USUAL_IMAGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """
    A training as given on the command line.

    `model` is the API's name of the base model. Krea chooses values for fields that are
    None.
    """

    name: str
    images: Sequence[Image]
    model: str
    type: str | None = None
    trigger: str | None = None
    steps: int | None = None
    webhook: str | None = None

    def request(self) -> Request:
        """
        Build the request and check it.

        Raises:
            InvalidRequestError: the request is invalid. The error lists all violations.
            UsageError: something else in the arguments cannot be used.
        """
        check_webhook(self.webhook)
        if self.model not in MODELS:
            raise UsageError(
                f"Unknown base model '{self.model}'.",
                hint=f"Styles can be trained for {', '.join(MODELS)}.",
            )
        if not self.name.strip():
            raise UsageError("The name of the style is empty.")
        for image in self.images:
            if isinstance(image, LocalFile) and image.media.kind != "image":
                raise InputError(f"{image.name} is not an image.")
        request = Request(
            model=training_model(self.model), fields=self._fields, webhook=self.webhook
        )
        check_text(request)
        if violations := request.violations:
            raise InvalidRequestError(
                f"Invalid request to train a style for {self.model}:",
                details=[str(each) for each in violations],
            )
        return request

    @property
    def _fields(self) -> dict[str, Any]:
        given = {
            "model": self.model,
            "type": self.type,
            "name": self.name,
            "urls": list(self.images),
            "trigger_word": self.trigger,
            "max_train_steps": self.steps,
        }
        return {name: value for name, value in given.items() if value is not None}
