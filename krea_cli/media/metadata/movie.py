"""
MP4 and MOV: what a camera or a program wrote about the film is blanked.

Data that is recorded as a track of its own, as by some action cameras, stays: it lies
among the pictures and the sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

from krea_cli.media.metadata.boxes import FREE, Box, Patch, blank, boxes, patched
from krea_cli.media.metadata.pieces import Piece

# By what they are in: boxes of users and programs, and what others left of such.  In a
# track, one of a program may say how to show it: in 360 degrees.
_ANYWHERE = FREE | {b"udta", b"meta"}
_DESCRIBING = {
    b"": _ANYWHERE | {b"uuid"},
    b"moov": _ANYWHERE | {b"uuid"},
    b"trak": _ANYWHERE,
}
_LOOKED_INTO = {b"": b"moov", b"moov": b"trak"}


def bare(file: IO[bytes], size: int) -> Iterator[Piece]:
    """
    The pieces with zeros where the film was described: place, time, camera, author.

    Raises:
        DamagedError: its boxes do not fit into each other.
    """
    yield from patched(patches(file, boxes(file, 0, size)), size)


def patches(
    file: IO[bytes], content: Iterable[Box], parent: bytes = b""
) -> Iterator[Patch]:
    """
    What blanks the descriptions in the boxes that *parent* has, or the file itself.
    """
    for box in content:
        if box.kind in _DESCRIBING[parent]:
            yield from blank(box)
        elif box.kind == _LOOKED_INTO.get(parent):
            yield from patches(file, boxes(file, box.body, box.end), box.kind)
