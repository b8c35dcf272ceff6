"""
What is safe to print: text of foreign origin never acts on a terminal (hazard T1).
"""

from __future__ import annotations

import re

_UNSAFE = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    # Invisible: soft hyphen, zero-width space, fillers, tags. The zero-width joiner and
    # non-joiner stay, as emoji and Persian words need them.
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ud800-\udfff\U000e0001-\U000e007f]"
)


def escape_control_chars(text: object, limit: int | None = None) -> str:
    """
    Show each control character, bidirectional control, invisible character and lone
    surrogate as an escape; newline and tab stay.  Cut to *limit* characters.
    """
    shown = re.sub(_UNSAFE, lambda match: f"\\x{ord(match[0]):02x}", str(text))
    if limit is not None and len(shown) > limit:
        return shown[: limit - 1] + "…"
    return shown


def safe_json(text: str) -> str:
    """
    As `safe`, for a text that is JSON and stays JSON: the escapes are those of JSON.  A
    lone surrogate has none that other programs accept.
    """
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return re.sub(_UNSAFE, _json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    # JSON counts in units of UTF-16.
    return re.sub("(.{4})", r"\\u\1", match[0].encode("utf-16-be").hex())


def single_line(text: object) -> str:
    """
    As `safe`, with a blank for each line break: no line of a log begins with words of
    foreign origin (hazard T5).  Blanks stay as they are, as a path may hold them.
    """
    return escape_control_chars(text).replace("\n", " ")


def collapse_whitespace(text: object, limit: int | None = None) -> str:
    """
    As `safe`, and with every run of white space as one blank.
    """
    return escape_control_chars(" ".join(str(text).split()), limit)
