"""
Decode compressed responses piece by piece, so that a small input never becomes a large
output at once.

krea asks for no compression, but some stores of files keep a file compressed and send
it so to everybody, and some send a Content-Encoding that is not a coding at all.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from krea_cli.errors import ResponseLostError

if TYPE_CHECKING:
    from zlib import _Decompress as Decoder  # it has no public name

DECODED = frozenset({"gzip", "x-gzip", "deflate"})
# Registered codings that cannot be decoded here.  Every other word ("utf-8", "binary",
# "aws-chunked", "none") describes bytes that come as they are.
UNDECODED = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi"})
MAX_CODINGS = 3
_PIECE_BYTES = 2**18
_GZIP = b"\x1f\x8b"
# Each costs a copy of what follows it; real files have one.
_MAX_MEMBERS = 1000


def codings(header: str) -> list[str]:
    """
    Return the codings in a Content-Encoding header, in the order of their application.
    """
    words = [word.strip().lower() for word in header.split(",")]
    return [word for word in words if word in DECODED | UNDECODED]


def decoded(chunks: Iterator[bytes], applied: list[str]) -> Iterator[bytes]:
    """
    Undo the codings in *applied*, all of DECODED.

    Raises:
        ResponseLostError: while reading: the data is damaged, or ends too early.
    """
    for coding in reversed(applied):
        chunks = _inflated(chunks, is_gzip=coding != "deflate")
    return chunks


def _inflated(chunks: Iterator[bytes], *, is_gzip: bool) -> Iterator[bytes]:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(_GZIP):
            break
    chunks = itertools.chain([head], chunks)
    if is_gzip and head and not head.startswith(_GZIP):
        return chunks  # not compressed at all: the store names it wrongly
    return _decompressed(chunks, is_gzip=is_gzip)


def _decompressed(chunks: Iterator[bytes], *, is_gzip: bool) -> Iterator[bytes]:
    decoder: Decoder | None = None
    left, members, is_over = b"", 0, False
    try:
        for chunk in chunks:
            left = b"" if is_over else left + chunk
            while decoder or len(left) >= len(_GZIP):
                if decoder is None:
                    # Another member of a gzip file; all else is filling.
                    is_more = is_gzip and left.startswith(_GZIP)
                    is_over = bool(members) and not (is_more and members < _MAX_MEMBERS)
                    if is_over:
                        break
                    decoder = _new_decoder(left, is_gzip=is_gzip)
                if piece := decoder.decompress(left, _PIECE_BYTES):
                    yield piece
                if decoder.eof:
                    left, decoder, members = decoder.unused_data, None, members + 1
                    continue
                left = decoder.unconsumed_tail
                if not left and len(piece) < _PIECE_BYTES:
                    break
    except zlib.error as exc:
        raise ResponseLostError(f"The compressed result is damaged: {exc}.") from exc
    if decoder is not None or not members:
        raise ResponseLostError("The compressed result is incomplete.")


def _new_decoder(head: bytes, *, is_gzip: bool) -> Decoder:
    if is_gzip:
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    # Some send "deflate" without the header that it is to have.
    has_header = head[0] & 0x0F == 8 and int.from_bytes(head[:2]) % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
