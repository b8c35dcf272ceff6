"""
Parse sizes, amounts of money and counts.

Only the digits 0 to 9 are allowed: Python would also accept 1_0 and digits of other
scripts.
"""

from __future__ import annotations

import math
import re

_SIZE = r"([0-9]+(?:\.[0-9]+)?)\s*(?:(k|m|g)(i?)b?|b)?"
_POWERS = {"k": 1, "m": 2, "g": 3}
_USD = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"


def parse_size(text: str) -> int:
    """
    Convert `1000000`, `500MB` (decimal) or `2GiB` (binary) to bytes.

    Raises:
        ValueError: the text has another form, or is below 1.
    """
    match = re.fullmatch(_SIZE, text.strip().lower())
    size = 0
    if match and len(match[1]) <= 15:
        base = 1024 if match[3] else 1000
        size = int(float(match[1]) * base ** _POWERS.get(match[2], 0))
    if size < 1:
        raise ValueError(f"{text!r} is not a size. Examples: 1000000, 500MB, 2GiB")
    return size


def parse_usd(text: str) -> float:
    """
    Convert `2`, `0.50`, `.5` or `1e-3` to an amount in USD.

    Raises:
        ValueError: the text has another form, or is below 0.
    """
    usd = float(text) if re.fullmatch(_USD, text.strip()) else math.inf
    if not math.isfinite(usd):
        raise ValueError(f"{text!r} is not an amount in USD. Example: 0.50")
    return usd


def parse_integer(text: str, *, minimum: int, maximum: int) -> int:
    """
    Parse a whole number from `minimum` to `maximum`.

    Raises:
        ValueError: the text is not such a number.
    """
    digits = text.strip()
    is_number = re.fullmatch("[0-9]{1,18}", digits) is not None
    if not (is_number and minimum <= int(digits) <= maximum):
        allowed = (
            f"from {minimum} to {maximum}"
            if maximum < 10**6
            else f"of at least {minimum}"
        )
        raise ValueError(f"{text!r} is not a whole number {allowed}")
    return int(digits)
