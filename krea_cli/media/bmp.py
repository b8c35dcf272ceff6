"""
Find the end of a BMP file.
"""

from __future__ import annotations

from krea_cli.media.reader import FileReader

_OLD_HEADER = 12
# Compression methods: run lengths, JPEG or PNG.
_COMPRESSED = (1, 2, 4, 5)


def find_end(reader: FileReader) -> int | None:
    """
    Return the position after the pixels, or None if there are none.

    The size of uncompressed pixels is computed from width, height and depth, because
    some programs write a wrong file length.
    """
    length, pixels, header = reader.unpack("<I4xII", 2)
    compression = 0
    if header == _OLD_HEADER:
        width, height, depth = reader.unpack("<HH2xH", 18)
    else:
        width, height, depth, compression = reader.unpack("<ii2xHI", 18)
    end = pixels + (width * depth + 31) // 32 * 4 * abs(height)
    if compression in _COMPRESSED:
        end = length
    return end if end > pixels else None
