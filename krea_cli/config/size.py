"""
How large a file is, as people write it.
"""

from __future__ import annotations

import re

_SIZE = r"([0-9]+(?:\.[0-9]+)?)\s*(?:(k|m|g)(i?)b?|b)?"
_POWERS = {"k": 1, "m": 2, "g": 3}


def parse_size(text: str) -> int:
    """
    Bytes from `1000000`, `500MB` (of 1,000 kB of 1,000 bytes) or `2GiB` (of 1,024 MiB).

    Raises:
        ValueError: it is none of these, or below 1.
    """
    match = re.fullmatch(_SIZE, text.strip().lower())
    size = 0
    if match and len(match[1]) <= 15:
        base = 1024 if match[3] else 1000
        size = int(float(match[1]) * base ** _POWERS.get(match[2], 0))
    if size < 1:
        raise ValueError(
            f"{text!r} is no size; allowed are bytes as 1000000, kB, MB and GB as "
            "500MB, KiB, MiB and GiB as 2GiB"
        )
    return size
