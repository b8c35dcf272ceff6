"""
Parse JSON as the standard has it.
"""

from __future__ import annotations

import json
from typing import Any


def parse_strict_json(content: str | bytes, **options: Any) -> Any:
    """
    Parse JSON, which has no NaN and no Infinity.

    Raises:
        ValueError, RecursionError: it is not JSON.
    """
    return json.loads(content, parse_constant=_refuse_constant, **options)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")
