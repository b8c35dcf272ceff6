"""
How long something takes, as people write it.
"""

from __future__ import annotations

import math
import re

_DURATION = r"([0-9]+(?:\.[0-9]+)?)(s|m|h)?"
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600}


def parse_duration(text: str) -> float:
    """
    Seconds from `90`, `90s`, `10m`, `1h` or `1.5h`.

    Raises:
        ValueError: it is none of these, or not above 0.
    """
    match = re.fullmatch(_DURATION, text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < seconds < math.inf:
        raise ValueError(
            f"{text!r} is no duration; allowed are seconds as 90 or 90s, minutes as "
            "10m, hours as 1h"
        )
    return seconds
