"""
Parts of a model as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from krea_cli.catalog.model import MediaField, Model


def identity(model: Model) -> dict[str, Any]:
    """
    Return the names of a model.
    """
    return {
        "id": model.id,
        "path": model.path,
        "name": model.name,
        "kind": model.kind,
    }


def flag(field: MediaField, model: Model) -> str:
    """
    The option that gives a file to the field.
    """
    return "-i" if field == model.input_field else "-p"


def inputs(model: Model) -> list[dict[str, Any]]:
    """
    The fields that take files, and how many when they are given.
    """
    return [
        {
            "field": field.name,
            "media": field.media,
            "min": field.minimum,
            "max": field.maximum,
            "required": field.required,
            "flag": flag(field, model),
        }
        for field in model.media_fields
    ]


def price_range(model: Model) -> dict[str, Any] | None:
    """
    The lowest and the highest known price, None when none is known.
    """
    amounts = [point.amount for point in model.prices]
    if not amounts:
        return None
    return {"min": min(amounts), "max": max(amounts), **_known(model)}


def price_points(model: Model) -> dict[str, Any] | None:
    """
    Every known price with what it is for, None when none is known.
    """
    if not model.prices:
        return None
    points = [{"usd": p.amount, "when": p.dimensions} for p in model.prices]
    return {**_known(model), "points": points}


def _known(model: Model) -> dict[str, Any]:
    return {"date": model.price_date, "incomplete": model.prices_incomplete}
