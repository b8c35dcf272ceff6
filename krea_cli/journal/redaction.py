"""
Remove data from a request that the journal must not store: keys and signatures in URLs,
and the content of files.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from contextlib import suppress
from typing import Any, Protocol

from krea_cli.media import MediaType
from krea_cli.runtime.json_tree import leaves, mapped

_DATA_URI = re.compile(
    r"\bdata:((?:[\w.+-]+/[\w.+-]+)?)((?:;[^,]{0,200})?),(.*)",
    re.IGNORECASE | re.DOTALL,
)
_URL = re.compile(
    r"([a-z][a-z0-9+.-]{0,20}://)(?:[^\s/?#]*@)?([^\s?#]*)(?:[?#]\S+)?", re.IGNORECASE
)


class HashedFile(Protocol):
    """
    A file as a value in a request body.
    """

    @property
    def media(self) -> MediaType: ...

    @property
    def sha256(self) -> str: ...


def without_secrets(text: str) -> str:
    """
    Replace data: URIs with the SHA-256 of their content, and strip user, query and
    fragment from URLs, which may contain a key or a signature.
    """
    return _URL.sub(r"\1\2", _DATA_URI.sub(_with_sha256, text))


def _with_sha256(found: re.Match[str]) -> str:
    media_type, parameters, data = found.groups()
    content = data.encode(errors="surrogatepass")
    if parameters.lower().endswith("base64"):
        with suppress(ValueError):
            content = b64decode(content)
    return f"data:{media_type};sha256={hashlib.sha256(content).hexdigest()}"


def redacted(value: Any) -> Any:
    """
    Apply `without_secrets` to each text in a JSON value, and replace files with their
    SHA-256.
    """
    return mapped(value, _redacted)


def _redacted(value: str | float | HashedFile | None) -> str | float | None:
    if isinstance(value, str):
        return without_secrets(value)
    if value is None or isinstance(value, int | float):
        return value
    return f"data:{value.media.media_type};sha256={value.sha256}"


def redacted_places(value: Any, redacted_value: Any) -> list[list[str | int]]:
    """
    Return the keys and indexes that lead to each text changed by redaction.
    """
    pairs = zip(leaves(value), leaves(redacted_value), strict=True)
    return [
        list(place)
        for (place, text), (_, redacted_text) in pairs
        if isinstance(text, str) and text != redacted_text
    ]
