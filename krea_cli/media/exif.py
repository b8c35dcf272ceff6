"""
Reduce EXIF to the one entry that changes how an image is shown: its orientation.
"""

from __future__ import annotations

import struct

_HEADER = b"Exif\0\0"
_ORIENTATION, _SHORT = 0x0112, 3
_UPRIGHT = 1
# Cameras store the orientation well before this position.
MAX_EXIF = 1 << 16


def orientation_only_exif(exif: bytes) -> bytes:
    """
    Return EXIF data that contains only the orientation of `exif`.

    The result has no JPEG header. It is empty if the image is upright or `exif` is
    unreadable.
    """
    orientation = _orientation(exif.removeprefix(_HEADER))
    if orientation == _UPRIGHT:
        return b""
    # A directory with one entry, and no further directory.
    entry = struct.pack(">HHIHH", _ORIENTATION, _SHORT, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)


def _orientation(tiff: bytes) -> int:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return _UPRIGHT
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                return int(value) if 1 <= value <= 8 else _UPRIGHT
    except struct.error:
        pass
    return _UPRIGHT
