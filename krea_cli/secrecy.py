"""
What a token looks like where others repeat it, to be taken out of their words.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from functools import cache

HIDDEN = "***"


def forms(secret: str) -> list[str]:
    """
    The secret as it is, as URLs have it, and as headers have it.
    """
    raw = secret.encode(errors="surrogatepass")
    encoded = b2a_base64(raw, newline=False).decode().rstrip("=")
    # As RFC 3986 has it; urllib.parse would take long to load.
    quoted = "".join(
        chr(byte) if bytes([byte]).isalnum() or byte in b"-._~" else f"%{byte:02X}"
        for byte in raw
    )
    return [secret, quoted, encoded]


def erased(secret: str, content: bytes) -> bytes:
    """
    An answer without the secret, also where its JSON escapes characters of it or holds
    JSON in a text: whoever decodes and cuts it must find no part (hazard C13).
    """
    import json

    encoding = json.detect_encoding(content)
    if not encoding.startswith("utf-8"):
        content = content.decode(encoding, "replace").encode(errors="replace")
    pattern = _pattern(secret, is_escaped=b"\\" in content)
    return pattern.sub(HIDDEN.encode(), content)


@cache
def _pattern(secret: str, *, is_escaped: bool) -> re.Pattern[bytes]:
    spell = _escaped if is_escaped else re.escape
    words = ("".join(map(spell, form)) for form in forms(secret))
    return re.compile("|".join(words).encode(), re.IGNORECASE)


def _escaped(char: str) -> str:
    # JSON in JSON doubles the backslashes; without a limit many would take forever.
    return rf"\\{{0,8}}(?:{re.escape(char)}|(?<=\\)u{ord(char):04x})"
