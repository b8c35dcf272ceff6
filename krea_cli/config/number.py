"""
A number as people write it, in the digits 0 to 9: Python also reads 1_0, and the digits
of every script.
"""

from __future__ import annotations

import math
import re


def parse_usd(text: str) -> float:
    """
    An amount of money from `2`, `0.50`, `.5` or `1e-3`.

    Raises:
        ValueError: it is none of these, or below 0.
    """
    number = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
    usd = float(text) if re.fullmatch(number, text.strip()) else math.inf
    if not math.isfinite(usd):
        raise ValueError(f"{text!r} is no number of USD; allowed are such as 0.50")
    return usd


def parse_whole(text: str, *, least: int, most: int) -> int:
    """
    A whole number within these limits.

    Raises:
        ValueError: it is none.
    """
    digits = text.strip()
    is_number = re.fullmatch("[0-9]{1,18}", digits) is not None
    if not (is_number and least <= int(digits) <= most):
        raise ValueError(f"{text!r} is no whole number from {least} to {most}")
    return int(digits)
