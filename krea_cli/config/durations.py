"""
Parse durations and times as people write them.
"""

from __future__ import annotations

import math
import re
from datetime import datetime

_DURATION = r"([0-9]+(?:\.[0-9]+)?)(s|m|h|d)?"
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> float:
    """
    Return the seconds of `90`, `90s`, `10m`, `1h`, `1.5h` or `7d`.

    Raises:
        ValueError: it is none of these, or not above 0.
    """
    match = re.fullmatch(_DURATION, text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < seconds < math.inf:
        raise ValueError(f"{text!r} is not a duration. Examples: 90, 90s, 10m, 1h, 7d")
    return seconds


def parse_time(text: str, *, now: float) -> float:
    """
    Return seconds since the epoch: of `12h` or `7d` before *now*, of the local midnight
    that begins `2026-11-20`, or of any ISO 8601 time, which is local unless it names an
    offset.

    A number alone is rejected: whoever writes 30 may mean days.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip()
    try:
        if text[-1:].isalpha() and "-" not in text:
            return now - parse_duration(text)
        if "-" in text:
            return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        pass  # told below, by what is allowed
    raise ValueError(
        f"{text!r} is not a time. Examples: 12h, 7d, 2026-11-20, 2026-11-20T15:00"
    )
