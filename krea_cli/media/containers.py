"""
Whether a file is whole, by the structure of its container (hazards N2, F6).

A connection that breaks may look like the end of the body; a cut picture opens in some
viewers.  So each container is walked to its own end.

What is behind that end is no part of the picture, and does it no harm.  A little
padding may be there in any case; anything else only where the server said how long the
whole is, and it is as long: then it is the result as it was made, and so it is saved.
"""

from __future__ import annotations

import os
import struct
from enum import Enum, auto
from typing import IO

from krea_cli.media import BMP, GIF, GLB, JPEG, PNG, TIFF, WAV, WEBP, MediaType
from krea_cli.media.parts import TooManyPartsError
from krea_cli.media.truncation import ENDS, is_padding

# Where the sound begins, behind some notes about it.
_HEAD_BYTES = 4096
# From here on no length of a WAV is meant so: who writes to a pipe cannot know it.
_PLACEHOLDER = 0x7FFFF000
# Those whose end is written in them; of the others padding may be a box that was cut.
_SELF_ENDED = frozenset({PNG, JPEG, GIF, WEBP, TIFF, BMP, WAV, GLB})


class Ending(Enum):
    """
    *OPEN* is that of a file which does not say how long it is, and *FOLLOWED* one with
    something behind it that is no padding; both only where nobody else said it, either.
    *CROWDED* is that of a file made of so many parts that nobody follows them.
    """

    WHOLE = auto()
    CUT = auto()
    OPEN = auto()
    FOLLOWED = auto()
    CROWDED = auto()


def ending(file: IO[bytes], media: MediaType, *, is_all: bool) -> Ending:
    """
    How *file*, which can seek, ends as a container of its kind.  *is_all* says that it
    has as many bytes as were announced.
    """
    find_end = ENDS.get(media)
    if find_end is None:
        return Ending.WHOLE
    size = file.seek(0, os.SEEK_END)
    try:
        if media == WAV and _is_streamed(file, size):
            return Ending.WHOLE if is_all else Ending.OPEN
        end = find_end(file, size)
    except struct.error:
        return Ending.CUT
    except TooManyPartsError:
        return Ending.CROWDED
    if end is None or end > size:
        return Ending.CUT
    is_padded = media in _SELF_ENDED and is_padding(file, end, size)
    return Ending.WHOLE if is_all or end == size or is_padded else Ending.FOLLOWED


def _is_streamed(file: IO[bytes], size: int) -> bool:
    """
    Whether it is a WAV of someone who could not know how long it would become, with
    sound in it.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    (length,) = struct.unpack("<I", head[4:8])
    data = head.find(b"data", 12)
    return (length == 0 or length >= _PLACEHOLDER) and 0 < data < size - 8
