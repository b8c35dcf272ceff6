"""
Whether an MP3 is whole.  It has no end to look for: it is one frame after the other,
each with its length, and the first one may say how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import IO, NamedTuple

from krea_cli.media.parts import count_parts
from krea_cli.media.window import Window

# By the bits for the version: kbit/s and samples a second by their indexes, and the
# eighth of the samples in a frame.
_BITRATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_LOW_BITRATES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_VERSIONS = {
    3: (_BITRATES, (44100, 48000, 32000), 144),
    2: (_LOW_BITRATES, (22050, 24000, 16000), 72),
    0: (_LOW_BITRATES, (11025, 12000, 8000), 72),
}
_LAYER_3, _MONO = 1, 3
_TAG_BYTES, _HEAD_BYTES = 10, 4
# A day of sound; a file with more frames is there to keep us busy.
_MOST_FRAMES = 1 << 22


class _Frame(NamedTuple):
    """
    *count_at* is where in the first frame of a file the number of frames may stand.
    """

    length: int
    count_at: int


def is_whole(file: IO[bytes], size: int) -> bool:
    """
    False when the file ends within its tag or within a frame, or has fewer frames than
    the first one declares.

    Raises:
        TooManyPartsError: it has more frames than any sound.

    What is behind the last frame (another tag, padding) is not looked into.  A cut
    between two frames of a file that declares nothing cannot be seen.
    """
    window = Window(file)
    start = at = _tag_end(window)
    count = declared = 0
    counter = count_parts(_MOST_FRAMES)
    while frame := _frame(head := window.read(at, _HEAD_BYTES)):
        if at == start:
            declared = _declared(window.read(at + frame.count_at, 12))
        count = next(counter) + 1
        at += frame.length
    is_cut = at > size or (head[:1] == b"\xff" and len(head) < _HEAD_BYTES)
    return start < size and not is_cut and count >= declared


def frames(file: IO[bytes], size: int) -> Iterator[range]:
    """
    Yield the places of the frames that follow the first tags; the last one may be cut.
    """
    window = Window(file)
    at = _tag_end(window)
    while tag := _tag_length(window.read(at, _TAG_BYTES)):
        at += tag
    while frame := _frame(window.read(at, _HEAD_BYTES)):
        yield range(at, min(at + frame.length, size))
        at += frame.length


def _tag_end(window: Window) -> int:
    """
    Where the ID3 tag ends that the file may begin with; seven bits of each byte count.
    """
    return _tag_length(window.read(0, _TAG_BYTES))


def _tag_length(head: bytes) -> int:
    if head[:3] != b"ID3":
        return 0
    length = 0
    for byte in head[6:]:
        length = length << 7 | byte & 0x7F
    has_footer = bool(head[5:6] and head[5] & 0x10)
    return _TAG_BYTES * (1 + has_footer) + length


@lru_cache(maxsize=1024)
def _frame(head: bytes) -> _Frame | None:
    """
    The frame of layer 3 that begins so; None for another one, and for a free bit rate.
    """
    if len(head) < _HEAD_BYTES or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version not in _VERSIONS or layer != _LAYER_3 or rate == 3:
        return None
    if not 1 <= bitrate <= 14:
        return None
    bitrates, rates, factor = _VERSIONS[version]
    length = factor * bitrates[bitrate - 1] * 1000 // rates[rate] + padding
    is_mono = head[3] >> 6 == _MONO
    side = {(144, False): 32, (72, True): 9}.get((factor, is_mono), 17)
    return _Frame(length, 4 + side)


def _declared(info: bytes) -> int:
    """
    How many frames there are, by what encoders put into the first one.
    """
    has_count = info[:4] in (b"Xing", b"Info") and info[7:8] and info[7] & 1
    return int.from_bytes(info[8:12], "big") if has_count else 0
