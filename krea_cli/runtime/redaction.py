"""
Remove the API token from text of other programs, in every form in which they may repeat
it.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from functools import cache

HIDDEN = "***"
# So many characters of a token in a row are hidden where others repeat a part of it.
SHORTEST_PART = 8
# An escape of one character, as JSON, URLs and Python write it.
_ESCAPE = re.compile(
    rb"""\\+(?:u00([0-9a-f]{2})|x([0-9a-f]{2})|(["/])|)|%([0-9a-f]{2})""", re.IGNORECASE
)


def forms(secret: str) -> list[str]:
    """
    The secret as it is, as URLs have it, as headers have it (also within `Bearer
    SECRET` or `user:SECRET` in base64), and in hex.
    """
    raw = secret.encode(errors="surrogatepass")
    encoded = b2a_base64(raw, newline=False).decode().rstrip("=")
    # As RFC 3986 has it; urllib.parse would take long to load.
    quoted = "".join(
        chr(byte) if bytes([byte]).isalnum() or byte in b"-._~" else f"%{byte:02X}"
        for byte in raw
    )
    within = [form.decode() for form in _base64_within(raw)]
    return list(dict.fromkeys([secret, quoted, encoded, *within, raw.hex()]))


def _base64_within(raw: bytes) -> Iterator[bytes]:
    """
    Return the parts of the base64 of *raw* that do not depend on the text around it,
    for each of the three offsets within a group of three bytes.
    """
    for before in range(3):
        encoded = b2a_base64(bytes(before) + raw, newline=False)
        yield encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def without_parts(secret: str, text: str) -> str:
    """
    The text without any part of the secret that is long enough to matter: as it is,
    escaped, in base64 or in hex, in capitals or not.

    For words of others alone: an address or a path may have a part of it by right.
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
    A text with each escape in it as the one character that it stands for.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        # After each escape: the place in the view, and the one in the text.
        self._view_places, self._text_places = [0], [0]
        pieces: list[bytes] = []
        end = place = 0
        found = _ESCAPE.finditer(text) if b"\\" in text or b"%" in text else ()
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
        The text with *** in place of each of these spans of the view.
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
    All pieces of *length* bytes of what a secret may look like.
    """

    def __init__(self, looks: list[bytes], length: int, step: int = 1) -> None:
        self._length = length
        self._pieces = _pieces(looks, length, step)
        # Each piece of a text holds a shorter one that begins at a multiple of the
        # stride, so that only these have to be looked at.
        self._short = -(-length // 2)
        self._stride = length - self._short + 1
        self._short_pieces = _pieces(looks, self._short, 1)

    def mark(self, text: bytes, marks: bytearray) -> None:
        """
        Set the mark of each byte that is in one of the pieces.
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
    Return the text itself and its hex, both in lower case, and its base64.
    """
    raw = secret.encode(errors="surrogatepass")
    # Of eight bytes in a row, base64 has ten characters that hang on nothing else.
    return (
        _Parts([_View(raw).text.lower()], SHORTEST_PART),
        _Parts([raw.hex().encode()], 2 * SHORTEST_PART, step=2),
        _Parts(list(_base64_within(raw)), SHORTEST_PART * 8 // 6),
    )


def erased(secret: str, content: bytes) -> bytes:
    """
    An answer without the secret, also where its JSON escapes characters of it or holds
    JSON in a text: whoever decodes and cuts it must find no part.
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
    # A backslash before it may be half of an escape, and one at its end looks like the
    # beginning of the next.
    views = {_View(look).text.rstrip(b"\\") or look for look in looks}
    either = b"|".join(map(re.escape, sorted(views, key=len, reverse=True)))
    return re.compile(rb"\\?(?:" + either + b")", re.IGNORECASE)
