"""
Make text from other sources safe to print: it must not control a terminal.
"""

from __future__ import annotations

import re

_UNSAFE = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def escape_control_chars(text: object, limit: int | None = None) -> str:
    """
    Escape control characters, bidirectional controls and lone surrogates; newlines and
    tabs stay. Cut the text to *limit* characters.
    """
    shown = re.sub(_UNSAFE, lambda match: f"\\x{ord(match[0]):02x}", str(text))
    if limit is not None and len(shown) > limit:
        return shown[: limit - 1] + "…"
    return shown


def safe_json(text: str) -> str:
    """
    Escape the same characters in a JSON text by the escapes of JSON. A lone surrogate
    has none that other programs accept.
    """
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return re.sub(_UNSAFE, lambda match: f"\\u{ord(match[0]):04x}", text)


def single_line(text: object) -> str:
    """
    Escape the text, and replace line breaks by blanks: no line of a log begins with
    words from other sources. Blanks stay, as a path may hold them.
    """
    return escape_control_chars(text).replace("\n", " ")


def collapse_whitespace(text: object, limit: int | None = None) -> str:
    """
    Escape the text, and replace every run of white space by one blank.
    """
    return escape_control_chars(" ".join(str(text).split()), limit)
