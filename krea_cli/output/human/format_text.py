"""
Format times, statuses, amounts and prices as text.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from krea_cli.output.escape import collapse_whitespace

if TYPE_CHECKING:
    from krea_cli.catalog.model import MediaField, Model, PricePoint

UNKNOWN = "price unknown"

_TIERS = {
    "text-to-image": "text only",
    "srefs": "with style references",
    "moodboards": "with moodboards",
}

_MINUTE, _HOUR = 60, 3600
_MEANINGS = {
    "backlogged": "waiting for your other jobs",
    "queued": "waiting for its turn",
    "scheduled": "starting",
    "processing": "running",
    "sampling": "running",
    "intermediate-complete": "preview done, final result pending",
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
    Explain the status of a running job. Return "" for other statuses.
    """
    return _MEANINGS.get(status, "")


def amount(field: MediaField) -> str:
    """
    Say how many files a field accepts: "1 image", "up to 10 images" or "any number of
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
    Return the lowest and the highest price, such as "$0.15 to $0.30"; "from $0.15" if
    not all prices are known.
    """
    if not model.prices:
        return UNKNOWN
    return _price(model, [point.amount for point in model.prices], is_range=True)


def rounded_price(model: Model, *, is_range: bool) -> str:
    """
    Return the price for a column of a table, rounded up to tenths of a cent. Without
    `is_range`, return only the lowest price, such as "from $0.15".
    """
    if not model.prices:
        return "unknown"
    amounts = [math.ceil(round(p.amount * 1000, 6)) / 1000 for p in model.prices]
    return _price(model, amounts, is_range=is_range)


def _price(model: Model, amounts: list[float], *, is_range: bool) -> str:
    low, high = min(amounts), max(amounts)
    unit = " per second" if model.price_unit == "second" else ""
    if model.prices_incomplete or (low < high and not is_range):
        return f"from {dollars(low)}{unit}"
    return f"{dollar_range(low, high)}{unit}"


def dollar_range(low: float, high: float) -> str:
    """
    Return one amount of USD, such as "$0.15", or two such as "$0.15 to $0.30".
    """
    if dollars(low) == dollars(high):
        return dollars(low)
    return f"{dollars(low)} to {dollars(high)}"


def dollars(amount: float) -> str:
    """
    Format an amount in USD with at least two decimals.
    """
    whole, _, cents = f"{amount:.6f}".rstrip("0").partition(".")
    return f"${whole}.{cents:0<2}"


def dimensions(point: PricePoint) -> str:
    """
    Describe the condition of a price, such as "resolution 1K, quality low".
    """
    return ", ".join(
        collapse_whitespace(_dimension(name, value))
        for name, value in point.dimensions.items()
    )


def _dimension(name: str, value: object) -> str:
    if name == "k2BillingTier":
        return _TIERS.get(str(value), str(value))
    words = re.sub("(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    words = words.replace(" refs", " references")
    if isinstance(value, bool):
        words = words.removeprefix("has ").removeprefix("generate ")
        return f"{'with' if value else 'without'} {words}"
    if words.endswith(" count"):
        things = words.removesuffix(" count")
        return f"{value} {things}" if value == 1 else f"{value} {things}s"
    if words in ("duration", "billable seconds"):
        return f"{value} s"
    return f"{words} {value}"
