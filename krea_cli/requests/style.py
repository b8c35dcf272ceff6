"""
Parse --style ID[:STRENGTH].
"""

from __future__ import annotations

from typing import Any

from krea_cli.catalog.validation import convert
from krea_cli.errors import UsageError

# Field of models that accept styles.
FIELD = "styles"
# The API requires a strength, but documents no default.
FULL_STRENGTH = 1


def parse_style(argument: str) -> dict[str, Any]:
    """
    Parse the argument to the form the API expects.

    Raises:
        UsageError: the argument is not an id with an optional strength.
    """
    style_id, colon, given = argument.partition(":")
    strength: Any = FULL_STRENGTH
    # Options and spaces are mistakes. Otherwise the format of ids is undocumented.
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
