"""
Remove the API token from text of other programs, in all encodings they may use.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from functools import cache

HIDDEN = "***"
# A repeated part of a token is hidden if it has at least this many characters.
SHORTEST_PART = 8
# An escaped character, as written by JSON, URLs and Python.
_ESCAPE = rb"""\\+(?:u00([0-9a-f]{2})|x([0-9a-f]{2})|(["/])|)|%([0-9a-f]{2})"""


def forms(secret: str) -> list[str]:
    """
    Return the secret in plain text, as in URLs, as in headers, and in hex.

    The headers may contain it in base64, also as part of `Bearer SECRET` or
    `user:SECRET`.
    """
    raw = secret.encode(errors="surrogatepass")
    encoded = b2a_base64(raw, newline=False).decode().rstrip("=")
    # Quote as in RFC 3986. Importing urllib.parse would take too long.
    quoted = "".join(
        chr(byte) if bytes([byte]).isalnum() or byte in b"-._~" else f"%{byte:02X}"
        for byte in raw
    )
    within = [form.decode() for form in _base64_within(raw)]
    return list(dict.fromkeys([secret, quoted, encoded, *within, raw.hex()]))


def _base64_within(raw: bytes) -> Iterator[bytes]:
    """
    Return the parts of the base64 of `raw` that do not depend on the surrounding text.

    There is one for each of the three offsets within a group of three bytes.
    """
    for before in range(3):
        encoded = b2a_base64(bytes(before) + raw, newline=False)
        yield encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def redact_parts(secret: str, text: str) -> str:
    """
    Remove every part of the secret that is long enough to matter.

    Parts are found in plain text, escaped, in base64 or in hex, regardless of case. Use
    this only for text of other programs: a URL or path may legitimately contain a part.
    """
    if len(text) < SHORTEST_PART:
        return text
    view = _View(text.encode(errors="surrogatepass"))
    lowered = view.text.lower()
    base64 = view.text.translate(_STANDARD_BASE64)
    hidden = bytearray(len(lowered))
    searches = _parts(secret)
    for parts, searched in zip(searches, (lowered, lowered, base64), strict=True):
        parts.mark(searched, hidden)
    if 1 not in hidden:
        return text
    clean = view.without(re.finditer(rb"\x01+", hidden))
    return clean.decode(errors="surrogatepass")


_STANDARD_BASE64 = bytes.maketrans(b"-_", b"+/")


class _View:
    """
    A text in which each escape is replaced by the character that it stands for.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        # Positions after each escape: in the view, and in the original text.
        self._view_places, self._text_places = [0], [0]
        pieces: list[bytes] = []
        end = place = 0
        has_escapes = b"\\" in text or b"%" in text
        found = re.finditer(_ESCAPE, text, re.IGNORECASE) if has_escapes else ()
        for match in found:
            start, after = match.span()
            code = match[match.lastindex] if match.lastindex else b""
            pieces += (text[end:start], _CHARACTERS.get(code) or _character(code))
            place += start - end + 1
            end = after
            self._view_places.append(place)
            self._text_places.append(end)
        pieces.append(text[end:])
        self.text = b"".join(pieces)

    def without(self, spans: Iterable[re.Match[bytes]]) -> bytes:
        """
        Return the original text with *** in place of the given spans of the view.
        """
        kept, end = [], 0
        for span in spans:
            first, last = map(self._place, span.span())
            kept.append(self._text[end:first])
            end = last
        return HIDDEN.encode().join([*kept, self._text[end:]])

    def _place(self, place: int) -> int:
        from bisect import bisect_right

        before = bisect_right(self._view_places, place) - 1
        return place - self._view_places[before] + self._text_places[before]


def _character(code: bytes) -> bytes:
    return bytes([int(code, 16)]) if code else b"\\"


_CHARACTERS = {
    digits.encode(): bytes([code])
    for code in range(256)
    for digits in (f"{code:02x}", f"{code:02X}")
}
_CHARACTERS |= {b'"': b'"', b"/": b"/"}


class _Parts:
    """
    All substrings of `length` bytes of the given forms of a secret.
    """

    def __init__(self, looks: list[bytes], length: int, step: int = 1) -> None:
        self._length = length
        self._pieces = _pieces(looks, length, step)
        # Every substring contains a shorter one that begins at a multiple of the
        # stride, so only those positions have to be checked.
        self._short = -(-length // 2)
        self._stride = length - self._short + 1
        self._short_pieces = _pieces(looks, self._short, 1)

    def mark(self, text: bytes, marks: bytearray) -> None:
        """
        Set the mark of each byte that belongs to one of the substrings.
        """
        if not self._pieces:
            return
        length, short, stride = self._length, self._short, self._stride
        pieces, short_pieces = self._pieces, self._short_pieces
        ones = b"\x01" * length
        for place in range(0, len(text) - short + 1, stride):
            if text[place : place + short] in short_pieces:
                for start in range(max(0, place - stride + 1), place + 1):
                    if text[start : start + length] in pieces:
                        marks[start : start + length] = ones


def _pieces(looks: list[bytes], length: int, step: int) -> set[bytes]:
    return {
        look[start : start + length]
        for look in looks
        for start in range(0, len(look) - length + 1, step)
    }


@cache
def _parts(secret: str) -> tuple[_Parts, _Parts, _Parts]:
    """
    Return the parts of the text, of its hex (both in lower case), and of its base64.
    """
    raw = secret.encode(errors="surrogatepass")
    # For any 8 consecutive bytes, 10 base64 characters depend on them alone.
    return (
        _Parts([_View(raw).text.lower()], SHORTEST_PART),
        _Parts([raw.hex().encode()], 2 * SHORTEST_PART, step=2),
        _Parts(list(_base64_within(raw)), SHORTEST_PART * 8 // 6),
    )


def redact_bytes(secret: str, content: bytes) -> bytes:
    """
    Remove the secret from a response body.

    This includes characters escaped in JSON, and JSON inside a text: no part may appear
    when somebody decodes and cuts the body.
    """
    import json

    encoding = json.detect_encoding(content)
    if not encoding.startswith("utf-8"):
        content = content.decode(encoding, "replace").encode(errors="replace")
    view = _View(content)
    return view.without(_whole(secret).finditer(view.text))


@cache
def _whole(secret: str) -> re.Pattern[bytes]:
    looks = [form.encode(errors="surrogatepass") for form in forms(secret)]
    # A backslash before the secret may be half of an escape, and one at its end looks
    # like the start of the next escape.
    views = {_View(look).text.rstrip(b"\\") or look for look in looks}
    either = b"|".join(map(re.escape, sorted(views, key=len, reverse=True)))
    return re.compile(rb"\\?(?:" + either + b")", re.IGNORECASE)
