"""
RIFF, the container of WebP and WAV: its length, and chunks.
"""

from __future__ import annotations

from krea_cli.media.chunks import Layout
from krea_cli.media.reader import FileReader

CHUNKS = Layout("<4sI", alignment=2)
# Where the first chunk begins.
FIRST = 12


def length(reader: FileReader) -> int:
    """
    Return the length that the file says to have, without the first eight bytes.

    Raises:
        DamagedError: the file ends before.
    """
    return int.from_bytes(reader.read(4, 4), "little")


def find_end(reader: FileReader) -> int | None:
    """
    Return where the file ends by its own length, None if that is not there.
    """
    count = length(reader)
    end = 8 + count
    # Some writers leave the last chunk without its padding.
    end += count % 2 and reader.size > end
    return end if count else None
