"""
Read the value of a media field: a web address, a data URI, or "@FILE".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from krea_cli.inputs.local_file import Image, RemoteFile
from krea_cli.runtime.user_paths import is_file_uri

# Services ignore leading spaces.
_DATA_URI = r"(?i:\s*data:)"
_MEDIA_DATA_URI = r"(?i:\s*data:(image|video|audio)/)"
# At least two letters: a single letter is a Windows drive.
_URL = r"(?i:\s*[a-z][a-z0-9+.-]+:)"


def is_address(text: str) -> bool:
    return text.startswith("@") or re.match(_URL, text) is not None


def is_media(text: str) -> bool:
    """
    Return True for a data URI of an image, video or audio file.
    """
    return re.match(_MEDIA_DATA_URI, text) is not None


def image_at(text: str, read: Callable[[str], Image]) -> str | Image:
    """
    Return the image at an address. `read` opens local files and data URIs. Return any
    other text unchanged: the service may understand it.
    """
    if text.startswith("@"):
        return read(text[1:])
    if is_file_uri(text):  # the service cannot read it
        return read(text)
    if re.match(_DATA_URI, text):
        return read(text.strip())
    return RemoteFile(text) if text.startswith(("https:", "http:")) else text
