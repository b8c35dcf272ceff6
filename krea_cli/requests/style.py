"""
Parse --style ID[:STRENGTH].
"""

from __future__ import annotations

from typing import Any

from krea_cli.catalog.validation import convert
from krea_cli.errors import UsageError

# The field of a model that takes styles.
FIELD = "styles"
# The service requires a strength, and documents no default.
FULL_STRENGTH = 1


def parse_style(argument: str) -> dict[str, Any]:
    """
    Return the style as the API takes it.

    Raises:
        UsageError: it is not an id, with or without a strength.
    """
    style_id, colon, given = argument.partition(":")
    strength: Any = FULL_STRENGTH
    # Options and blanks are mistakes; what an id looks like is not documented.
    is_valid = len(style_id.split()) == 1 and not style_id.startswith("-")
    if colon:
        try:
            strength = convert({"type": "number"}, given)
        except ValueError:
            is_valid = False
    if not is_valid:
        raise UsageError(
            f"'{argument}' is not a style. Write ID or ID:STRENGTH.",
            hint="Example: --style a816d79d-55c9-43ee-81c3-8330ffe79e6c:0.8",
        )
    return {"id": style_id, "strength": strength}
