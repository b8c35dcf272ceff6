"""
Describe the request that trains a style.

It resembles a request to a model: it has a schema, and its price is unknown. The list
of models does not include it, because its path is not that of a model.
"""

from __future__ import annotations

from typing import Any

from krea_cli.api.models import TRAINING_PATH
from krea_cli.catalog.model import Model

# The first one is the API's default.
_FIRST_MODELS = ("flux_dev", "flux_schnell", "wan", "wan22")
_LATER_MODELS = ("qwen", "z-image", "k2", "k2-large")
MODELS = (*_LATER_MODELS, *_FIRST_MODELS)
TYPES = ("Style", "Object", "Character", "Default")

_FIELDS: dict[str, Any] = {
    "name": {"type": "string"},
    "urls": {"type": "array", "items": {"type": "string", "format": "uri"}},
    "trigger_word": {"type": "string"},
    "max_train_steps": {"type": "integer", "minimum": 1, "maximum": 2000},
}
_FIRST = {
    "type": "object",
    "properties": {
        **_FIELDS,
        "model": {"type": "string", "enum": list(_FIRST_MODELS)},
        "type": {"type": "string", "enum": list(TYPES)},
        "learning_rate": {"type": "number"},
        "batch_size": {"type": "integer", "minimum": 1},
    },
    "required": ["name", "urls"],
}
_LATER = {
    "type": "object",
    "properties": {
        **_FIELDS,
        "model": {"type": "string", "enum": list(_LATER_MODELS)},
        "type": {"type": "string", "enum": list(TYPES[:3])},
    },
    "required": ["model", "name", "urls"],
}


class TrainingModel(Model):
    """
    The target of a training request. Its id is its whole path.
    """

    @property
    def id(self) -> str:
        return self.path


def training_model(base_model: object) -> Model:
    """
    Return the target of a request that trains a style for `base_model`.

    The schema depends on the base model.
    """
    return TrainingModel(
        path=TRAINING_PATH,
        name="Train a style",
        schema=_LATER if base_model in _LATER_MODELS else _FIRST,
        aliases={},
        prices=(),
        price_date=None,
        prices_incomplete=False,
        price_unit="request",
        deprecated=False,
    )
