"""
MP3: find whether it is whole, and strip everything but its frames of sound.

An MP3 has no end to look for: it is one frame after the other, each with its length,
and the first one may say how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from krea_cli.media.file_pieces import ByteRange
from krea_cli.media.reader import DamagedError, FileReader, count_parts

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
# A day of sound.
_MOST_FRAMES = 1 << 22


class _Head(NamedTuple):
    """
    The length of a frame, and where in it the number of frames may stand.
    """

    length: int
    count_at: int


def _frames(reader: FileReader) -> Iterator[tuple[int, _Head]]:
    """
    Yield where each frame starts; the last one may be cut.

    Raises:
        TooManyPartsError: they are more than a day of sound.
    """
    at = _tags_end(reader)
    counter = count_parts(_MOST_FRAMES)
    while head := _head(reader.peek(at, _HEAD_BYTES)):
        next(counter)
        yield at, head
        at += head.length


def _tags_end(reader: FileReader) -> int:
    """
    Return where the ID3 tags end that the file may begin with.
    """
    at = 0
    while (head := reader.peek(at, _TAG_BYTES)).startswith(b"ID3"):
        length = 0
        for byte in head[6:]:
            # Seven bits of each byte count.
            length = length << 7 | byte & 0x7F
        has_footer = bool(head[5:6] and head[5] & 0x10)
        at += _TAG_BYTES * (1 + has_footer) + length
    return at


@lru_cache(maxsize=1024)
def _head(head: bytes) -> _Head | None:
    """
    Read the head of a frame; None for other layers, and for a free bit rate.
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
    return _Head(length, 4 + side)


def find_end(reader: FileReader) -> int | None:
    """
    Return the size of the file; None if it ends within a tag or a frame, or has fewer
    frames than the first one declares.

    Tags and padding behind the last frame are not looked into. A cut between two frames
    of a file that declares nothing cannot be seen.

    Raises:
        TooManyPartsError: it has more frames than any sound.
    """
    end = _tags_end(reader)
    if end >= reader.size:
        return None
    count = declared = 0
    for start, head in _frames(reader):
        if not count:
            declared = _declared(reader.peek(start + head.count_at, 12))
        count += 1
        end = start + head.length
    rest = reader.peek(end, _HEAD_BYTES)
    is_cut = end > reader.size or (rest[:1] == b"\xff" and len(rest) < _HEAD_BYTES)
    return None if is_cut or count < declared else reader.size


def _declared(info: bytes) -> int:
    """
    Return the number of frames that encoders put into the first one, 0 for none.
    """
    has_count = info[:4] in (b"Xing", b"Info") and info[7:8] and info[7] & 1
    return int.from_bytes(info[8:12]) if has_count else 0


def strip(reader: FileReader) -> Iterator[ByteRange]:
    """
    Yield the frames, without the tags before and behind them.

    Raises:
        DamagedError: there is no frame that is understood.
        TooManyPartsError: it has more frames than any sound.
    """
    found = None
    for start, head in _frames(reader):
        found = range(start, min(start + head.length, reader.size))
        yield found
    if found is None:
        raise DamagedError("no audio frame found")
