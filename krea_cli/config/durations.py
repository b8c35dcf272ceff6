"""
Parse durations and times.
"""

from __future__ import annotations

import math
import re
from datetime import datetime

_DURATION = r"([0-9]+(?:\.[0-9]+)?)(s|m|h|d)?"
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> float:
    """
    Convert `90`, `90s`, `10m`, `1h`, `1.5h` or `7d` to seconds.

    Raises:
        ValueError: the text has another form, or is not above 0.
    """
    match = re.fullmatch(_DURATION, text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < seconds < math.inf:
        raise ValueError(f"{text!r} is not a duration. Examples: 90, 90s, 10m, 1h, 7d")
    return seconds


def parse_time(text: str, *, now: float) -> float:
    """
    Convert a time to seconds since the epoch.

    `12h` and `7d` count back from `now`. `2026-11-20` is local midnight at the start of
    that day. Any other ISO 8601 time is local unless it has an offset. A plain number
    is rejected, because 30 could mean days.

    Raises:
        ValueError: the text has another form.
    """
    text = text.strip()
    try:
        if text[-1:].isalpha() and "-" not in text:
            return now - parse_duration(text)
        if "-" in text:
            return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        pass  # the error below lists the allowed forms
    raise ValueError(
        f"{text!r} is not a time. Examples: 12h, 7d, 2026-11-20, 2026-11-20T15:00"
    )
