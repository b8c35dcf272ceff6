"""
Escape text from other sources, so that it cannot control a terminal.
"""

from __future__ import annotations

import re

_UNSAFE = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    # Invisible: soft hyphen, zero-width space, fillers, tags. The zero-width joiner and
    # non-joiner stay, because emoji and Persian words need them.
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ud800-\udfff\U000e0001-\U000e007f]"
)


def escape_control_chars(text: object, limit: int | None = None) -> str:
    """
    Escape control characters, bidirectional controls, invisible characters and lone
    surrogates.

    Newlines and tabs stay. Text longer than `limit` characters is cut.
    """
    shown = re.sub(_UNSAFE, lambda match: f"\\x{ord(match[0]):02x}", str(text))
    if limit is not None and len(shown) > limit:
        return shown[: limit - 1] + "…"
    return shown


def safe_json(text: str) -> str:
    """
    Escape the same characters in JSON text, as JSON escapes.

    Lone surrogates are replaced instead: many programs reject their escapes.
    """
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return re.sub(_UNSAFE, _json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    # JSON escapes are UTF-16 code units.
    return re.sub("(.{4})", r"\\u\1", match[0].encode("utf-16-be").hex())


def single_line(text: object) -> str:
    """
    Escape the text, and replace line breaks with spaces.

    This way no line of a log begins with text from another source. Other whitespace
    stays, because a path may contain it.
    """
    return escape_control_chars(text).replace("\n", " ")


def collapse_whitespace(text: object, limit: int | None = None) -> str:
    """
    Escape the text, and collapse each run of whitespace to one space.
    """
    return escape_control_chars(" ".join(str(text).split()), limit)
