"""
Put times, states, amounts and prices into words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krea_cli.output.escape import collapse_whitespace

if TYPE_CHECKING:
    from krea_cli.catalog.model import MediaField, Model, PricePoint

_MINUTE, _HOUR = 60, 3600
_MEANINGS = {
    "backlogged": "behind your other jobs, as many run as may at once",
    "queued": "waiting for its turn",
    "scheduled": "about to begin",
    "processing": "under way",
    "sampling": "under way",
    "intermediate-complete": "a first version is there, the final one is not",
}


def duration(seconds: float) -> str:
    """
    Format seconds as 7 s, 2 min 5 s or 1 h 0 min.
    """
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def meaning(status: str) -> str:
    """
    Explain the status of a running job; empty for any other.
    """
    return _MEANINGS.get(status, "")


def amount(field: MediaField) -> str:
    """
    Say how many files a field takes: "1 image", "up to 10 images" or "any number of
    videos".
    """
    least = field.minimum if field.required else 0
    media: str = "audio file" if field.media == "audio" else field.media
    if field.maximum is None:
        return f"{least} or more {media}s" if least else f"any number of {media}s"
    if least == field.maximum == 1:
        return f"1 {media}"
    most = field.maximum
    media = media if most == 1 else f"{media}s"
    if least == 0:
        return f"up to {most} {media}"
    return f"{most} {media}" if least == most else f"{least} to {most} {media}"


def price(model: Model) -> str:
    """
    Format the lowest and the highest known price, with "+" if there are others.
    """
    if not model.prices:
        return "unknown"
    amounts = [point.amount for point in model.prices]
    known = dollars(min(amounts))
    if max(amounts) > min(amounts):
        known += f"-{dollars(max(amounts)).removeprefix('$')}"
    return f"{known}+" if model.prices_incomplete else known


def dollars(amount: float) -> str:
    """
    Format an amount of USD with at least two decimals.
    """
    whole, _, cents = f"{amount:.6f}".rstrip("0").partition(".")
    return f"${whole}.{cents:0<2}"


def dimensions(point: PricePoint) -> str:
    """
    Say what a price is for: "resolution 1K, quality low".
    """
    return ", ".join(
        f"{collapse_whitespace(name)} {collapse_whitespace(value)}"
        for name, value in point.dimensions.items()
    )
