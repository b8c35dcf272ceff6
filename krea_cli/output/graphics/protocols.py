"""
Encode images as escape sequences of the graphics protocols.

The existing libraries query the terminal on import, which interferes with typed input,
or do not support all Python and Pillow versions that krea supports.
"""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence

from PIL import Image

_KITTY_CHUNK = 4096
_BAND = 6
_CLEAR = 255
_OPAQUE = 128
_RUN = re.compile(rb"(.)\1{3,}")
# Sixels encode six bits as characters from the question mark on.
_WRITTEN = bytes(63 + bits if bits < 64 else 0 for bits in range(256))
_ONLY = [bytes(i == color for i in range(256)) for color in range(_CLEAR)]


def kitty(picture: Image.Image, columns: int, rows: int) -> str:
    """
    Encode for the Kitty protocol, at `columns` x `rows` cells.

    The terminal sends no response (q=2).
    """
    data = b64encode(_png(picture)).decode("ascii")
    keys = f"a=T,f=100,q=2,c={columns},r={rows},"
    sequences = []
    for at in range(0, len(data), _KITTY_CHUNK):
        more = int(at + _KITTY_CHUNK < len(data))
        chunk = data[at : at + _KITTY_CHUNK]
        sequences.append(f"\x1b_G{keys}m={more};{chunk}\x1b\\")
        keys = ""
    return "".join(sequences)


def iterm2(picture: Image.Image, columns: int, rows: int) -> str:
    """
    Encode for iTerm2, at no more than `columns` x `rows` cells.
    """
    png = _png(picture)
    keys = f"inline=1;size={len(png)};width={columns};height={rows}"
    return f"\x1b]1337;File={keys}:{b64encode(png).decode('ascii')}\x07"


def sixel(picture: Image.Image) -> str:
    """
    Encode as Sixel, pixel by pixel, in 255 colors. Transparent pixels are not drawn.
    """
    indexed = picture.convert("RGB").quantize(
        _CLEAR, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    clear = picture.getchannel("A").point(lambda alpha: 255 * (alpha < _OPAQUE))
    indexed.paste(_CLEAR, mask=clear)
    head = f'\x1bP0;1q"1;1;{indexed.width};{indexed.height}'
    data = b"".join(_palette(indexed)) + b"-".join(_bands(indexed))
    return f"{head}{data.decode('ascii')}\x1b\\"


def _palette(indexed: Image.Image) -> Iterator[bytes]:
    values = [round(value * 100 / 255) for value in indexed.getpalette() or ()]
    for color in sorted({*indexed.tobytes()} - {_CLEAR}):
        yield b"#%d;2;%d;%d;%d" % (color, *values[3 * color : 3 * color + 3])


def _bands(indexed: Image.Image) -> Iterator[bytes]:
    """
    Encode bands of six pixel rows, one color after the other.
    """
    width, data = indexed.width, indexed.tobytes()
    lines = [data[at : at + width] for at in range(0, len(data), width)]
    for top in range(0, len(lines), _BAND):
        band = lines[top : top + _BAND]
        colors = sorted({*b"".join(band)} - {_CLEAR})
        yield b"$".join(_line(band, color, width) for color in colors)


def _line(band: Sequence[bytes], color: int, width: int) -> bytes:
    bits = 0
    for row, line in enumerate(band):
        if color in line:
            bits |= int.from_bytes(line.translate(_ONLY[color])) << row
    sixels = bits.to_bytes(width).translate(_WRITTEN).rstrip(b"?")
    return b"#%d%b" % (color, _RUN.sub(_repeated, sixels))


def _repeated(run: re.Match[bytes]) -> bytes:
    return b"!%d%b" % (len(run[0]), run[1])


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()
