"""
MP3: only the frames of sound. Tags before and behind them are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from krea_cli.media.metadata.pieces import ByteRange, DamagedError
from krea_cli.media.mpeg_audio import frames


def bare(file: IO[bytes], size: int) -> Iterator[ByteRange]:
    """
    Yield the frames.

    Raises:
        DamagedError: it has none that is understood.
    """
    last = None
    for frame in frames(file, size):
        yield frame
        last = frame
    if last is None:
        raise DamagedError("no frame of sound is found")
