"""
Convert parts of a model to JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from krea_cli.catalog.model import MediaField, Model


def identity(model: Model) -> dict[str, Any]:
    """
    Return the id, name and kind of a model.
    """
    return {
        "id": model.id,
        "path": model.path,
        "name": model.name,
        "kind": model.kind,
    }


def flag(field: MediaField, model: Model) -> str:
    """
    Return the option that passes a file to the field.
    """
    return "-i" if field == model.input_field else "-p"


def inputs(model: Model) -> list[dict[str, Any]]:
    """
    List the fields that accept files, with the allowed number of files.
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
    Return the lowest and the highest known price, or None if none is known.
    """
    amounts = [point.amount for point in model.prices]
    if not amounts:
        return None
    return {"min": min(amounts), "max": max(amounts), **_known(model)}


def price_points(model: Model) -> dict[str, Any] | None:
    """
    Return each known price with its conditions, or None if none is known.
    """
    if not model.prices:
        return None
    points = [{"usd": p.amount, "when": p.dimensions} for p in model.prices]
    return {**_known(model), "points": points}


def _known(model: Model) -> dict[str, Any]:
    return {"date": model.price_date, "incomplete": model.prices_incomplete}
