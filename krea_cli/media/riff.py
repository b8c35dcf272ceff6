"""
Read RIFF, the container of WebP and WAV: its length and its chunks.
"""

from __future__ import annotations

from krea_cli.media.chunks import Layout
from krea_cli.media.reader import FileReader

CHUNKS = Layout("<4sI", alignment=2)
# Position of the first chunk.
FIRST = 12


def length(reader: FileReader) -> int:
    """
    Return the length that the header states. It excludes the first eight bytes.

    Raises:
        DamagedError: the file ends too early.
    """
    return int.from_bytes(reader.read(4, 4), "little")


def find_end(reader: FileReader) -> int | None:
    """
    Return the end of the file that the header states, or None if the file is too short.
    """
    count = length(reader)
    end = 8 + count
    # Some programs omit the padding of the last chunk.
    end += count % 2 and reader.size > end
    return end if count else None
