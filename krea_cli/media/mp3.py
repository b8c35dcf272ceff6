"""
Check that an MP3 file is complete, and strip everything but its audio frames.

MP3 has no end marker: frames follow each other, each with its length. The first one may
state the number of frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from krea_cli.media.file_pieces import ByteRange
from krea_cli.media.reader import DamagedError, FileReader, count_parts

# Per version: bit rates in kbit/s, sample rates in Hz, and an eighth of the samples in
# a frame.
_BITRATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_LOW_BITRATES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_VERSIONS = {
    3: (_BITRATES, (44100, 48000, 32000), 144),
    2: (_LOW_BITRATES, (22050, 24000, 16000), 72),
    0: (_LOW_BITRATES, (11025, 12000, 8000), 72),
}
_LAYER_3, _MONO = 1, 3
_TAG_BYTES, _HEAD_BYTES = 10, 4
# About a day of audio.
_MAX_FRAMES = 1 << 22


class _Head(NamedTuple):
    """
    The length of a frame in bytes, and the offset of its optional frame count.
    """

    length: int
    count_at: int


def _frames(reader: FileReader) -> Iterator[tuple[int, _Head]]:
    """
    Yield the start and header of each frame. The last frame may be truncated.

    Raises:
        TooManyPartsError: there is more than a day of audio.
    """
    at = _tags_end(reader)
    counter = count_parts(_MAX_FRAMES)
    while head := _head(reader.peek(at, _HEAD_BYTES)):
        next(counter)
        yield at, head
        at += head.length


def _tags_end(reader: FileReader) -> int:
    """
    Return the position after any ID3 tags at the start of the file.
    """
    at = 0
    while (head := reader.peek(at, _TAG_BYTES)).startswith(b"ID3"):
        length = 0
        for byte in head[6:]:
            # The lengths of tags use seven bits of each byte.
            length = length << 7 | byte & 0x7F
        has_footer = bool(head[5:6] and head[5] & 0x10)
        at += _TAG_BYTES * (1 + has_footer) + length
    return at


@lru_cache(maxsize=1024)
def _head(head: bytes) -> _Head | None:
    """
    Parse a frame header. Return None for other layers and for free bit rates.
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
    Return the file size, or None if the file is truncated.

    A file is truncated if it ends within a tag or a frame, or has fewer frames than its
    first frame declares. Tags and padding after the last frame are not checked. A cut
    between two frames cannot be detected if no count is declared.

    Raises:
        TooManyPartsError: there is more than a day of audio.
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
    Return the number of frames declared by the first frame, or 0.
    """
    has_count = info[:4] in (b"Xing", b"Info") and info[7:8] and info[7] & 1
    return int.from_bytes(info[8:12]) if has_count else 0


def strip(reader: FileReader) -> Iterator[ByteRange]:
    """
    Yield the frames without the tags around them.

    Raises:
        DamagedError: no readable frame was found.
        TooManyPartsError: there is more than a day of audio.
    """
    found = None
    for start, head in _frames(reader):
        found = range(start, min(start + head.length, reader.size))
        yield found
    if found is None:
        raise DamagedError("no audio frame found")
