"""
PNG as Pillow should read it.  One of the homes of Pillow.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO

from PIL import Image, PngImagePlugin

from krea_cli.media.window import Window

# Pillow refuses a picture whose colour profile is larger than this, which is 1 MiB by
# itself; those of printers and scanners may have some more.
PngImagePlugin.MAX_TEXT_CHUNK = 2**24
_SIXTEEN_BITS = "RGB;16B"


def open_png(
    source: Path | IO[bytes],
    read: Callable[[Path | IO[bytes]], Image.Image] = PngImagePlugin.PngImageFile,
) -> Image.Image:
    """
    The picture as *read* gives it, not decoded yet.

    Raises:
        ValueError: there are several colour profiles.
        Exception: whatever else Pillow raises.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            _check_profiles(file)
    else:
        _check_profiles(source)
        source.seek(0)
    picture = read(source)
    _shorten_transparency(picture)
    return picture


def _check_profiles(file: IO[bytes]) -> None:
    """
    Each of them is unpacked when the file is opened, to a thousand times its length: a
    file that is full of them would take minutes.
    """
    window, at, count = Window(file), 8, 0
    while len(head := window.read(at, 8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT":
            return
        count += kind == b"iCCP"
        if count > 1:
            raise ValueError("it has several color profiles")
        at += 12 + length


def _shorten_transparency(picture: Image.Image) -> None:
    """
    Of sixteen bits of a colour Pillow reads the upper eight, but not of the colour that
    stands for what is transparent.
    """
    color = picture.info.get("transparency")
    tiles = getattr(picture, "tile", ())
    if isinstance(color, tuple) and any(tile.args == _SIXTEEN_BITS for tile in tiles):
        picture.info["transparency"] = tuple(value >> 8 for value in color)
