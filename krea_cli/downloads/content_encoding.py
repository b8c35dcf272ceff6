"""
Decode compressed responses piece by piece, so that memory use stays small.

krea asks for uncompressed responses, but some file stores always send a file as they
store it, and some send a Content-Encoding that is not a content coding.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from krea_cli.errors import ResponseLostError

if TYPE_CHECKING:
    from zlib import _Decompress as Decoder  # it has no public name

SUPPORTED_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
# Registered codings without a decoder here.  Any other value ("utf-8", "binary",
# "aws-chunked", "none") is not a coding, so the bytes are as they should be.
UNSUPPORTED_CODINGS = frozenset(
    {"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi"}
)
MAX_CODINGS = 3
_PIECE_BYTES = 2**18
_GZIP = b"\x1f\x8b"
# Each member costs a copy of the bytes after it. Real files have one member.
_MAX_MEMBERS = 1000


def parse_codings(header: str) -> list[str]:
    """
    Return the codings in a Content-Encoding header, in the order they were applied.
    """
    names = [word.strip().lower() for word in header.split(",")]
    return [word for word in names if word in SUPPORTED_CODINGS | UNSUPPORTED_CODINGS]


def decode(chunks: Iterator[bytes], codings: list[str]) -> Iterator[bytes]:
    """
    Undo the codings in `codings`, all of DECODED.

    Raises:
        ResponseLostError: while reading: the data is damaged, or ends too early.
    """
    for coding in reversed(codings):
        chunks = _decode_one(chunks, is_gzip=coding != "deflate")
    return chunks


def _decode_one(chunks: Iterator[bytes], *, is_gzip: bool) -> Iterator[bytes]:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(_GZIP):
            break
    chunks = itertools.chain([head], chunks)
    if is_gzip and head and not head.startswith(_GZIP):
        return chunks  # the header is wrong: the file is not compressed
    return _decompress(chunks, is_gzip=is_gzip)


def _decompress(chunks: Iterator[bytes], *, is_gzip: bool) -> Iterator[bytes]:
    decoder: Decoder | None = None
    pending, members, is_over = b"", 0, False
    try:
        for chunk in chunks:
            pending = b"" if is_over else pending + chunk
            while decoder or len(pending) >= len(_GZIP):
                if decoder is None:
                    # Either another gzip member follows, or padding.
                    is_more = is_gzip and pending.startswith(_GZIP)
                    is_over = bool(members) and not (is_more and members < _MAX_MEMBERS)
                    if is_over:
                        break
                    decoder = _new_decoder(pending, is_gzip=is_gzip)
                if piece := decoder.decompress(pending, _PIECE_BYTES):
                    yield piece
                if decoder.eof:
                    pending, decoder, members = decoder.unused_data, None, members + 1
                    continue
                pending = decoder.unconsumed_tail
                if not pending and len(piece) < _PIECE_BYTES:
                    break
    except zlib.error as exc:
        raise ResponseLostError(f"The compressed result is damaged: {exc}.") from exc
    if decoder is not None or not members:
        raise ResponseLostError("The compressed result is incomplete.")


def _new_decoder(head: bytes, *, is_gzip: bool) -> Decoder:
    if is_gzip:
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    # Some servers send "deflate" without the zlib header.
    has_header = head[0] & 0x0F == 8 and int.from_bytes(head[:2]) % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
