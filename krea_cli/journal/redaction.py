"""
What must not be kept of a request: keys and signatures in URLs, and the bytes of files.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from contextlib import suppress
from typing import Any

from krea_cli.inputs.local_file import LocalFile
from krea_cli.requests.json_tree import leaves, mapped

_DATA_URI = re.compile(
    r"\bdata:((?:[\w.+-]+/[\w.+-]+)?)((?:;[^,]{0,200})?),(.*)",
    re.IGNORECASE | re.DOTALL,
)
_URL = re.compile(
    r"([a-z][a-z0-9+.-]{0,20}://)(?:[^\s/?#]*@)?([^\s?#]*)(?:[?#]\S+)?", re.IGNORECASE
)


def without_secrets(text: str) -> str:
    """
    The text with its URLs bare of user, query and fragment, which may be a key or a
    signature (hazard J11), and the content of a data: URI as its sha256.
    """
    return _URL.sub(r"\1\2", _DATA_URI.sub(_with_sha256, text))


def _with_sha256(found: re.Match[str]) -> str:
    media_type, parameters, data = found.groups()
    content = data.encode(errors="surrogatepass")
    if parameters.lower().endswith("base64"):
        with suppress(ValueError):
            content = b64decode(content)
    return f"data:{media_type};sha256={hashlib.sha256(content).hexdigest()}"


def kept(value: Any) -> Any:
    """
    The value with each text in it as `without_secrets`, and each file as its sha256.
    """
    return mapped(value, _kept)


def _kept(value: Any) -> Any:
    if isinstance(value, LocalFile):
        return f"data:{value.media.media_type};sha256={value.sha256}"
    return without_secrets(value) if isinstance(value, str) else value


def left_out(value: Any, kept_value: Any) -> list[list[str | int]]:
    """
    The keys and indexes that lead to each text of *value* that is not kept as it is.
    """
    pairs = zip(leaves(value), leaves(kept_value), strict=True)
    return [
        list(place)
        for (place, text), (_, kept_text) in pairs
        if isinstance(text, str) and text != kept_text
    ]
