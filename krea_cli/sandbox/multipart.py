"""
Parse multipart/form-data bodies as they arrive, with one chunk in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesHeaderParser

_MAX_HEADER_BYTES = 8192


class MultipartError(ValueError):
    """
    The body is not valid multipart/form-data.
    """


@dataclass(frozen=True, slots=True)
class FormPart:
    """
    A field of the form. Read its chunks before the next part.
    """

    name: str | None
    chunks: Iterator[bytes]


class MultipartParser:
    """
    Iterates over the parts, once.

    Iterating, and reading the chunks of a part, raises MultipartError if the body is
    malformed or ends too early.
    """

    def __init__(self, chunks: Iterator[bytes], boundary: str) -> None:
        self._chunks = chunks
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        # The first delimiter may be at the start of the body.
        self._buffer = bytearray(b"\r\n")

    def __iter__(self) -> Iterator[FormPart]:
        for _ in self._until_delimiter():
            pass
        while not self._is_end():
            part = FormPart(self._name(), self._until_delimiter())
            yield part
            for _ in part.chunks:
                pass

    def _until_delimiter(self) -> Iterator[bytes]:
        """
        Yield the bytes up to the next delimiter, and consume the delimiter.
        """
        while (found := self._buffer.find(self._delimiter)) < 0:
            # The end of the buffer may be the start of a delimiter.
            sure = len(self._buffer) - len(self._delimiter) + 1
            if sure > 0:
                yield self._consume(sure)
            self._read_more()
        if found:
            yield self._consume(found)
        self._consume(len(self._delimiter))

    def _is_end(self) -> bool:
        """
        Return whether this was the last delimiter. If not, consume the rest of its
        line.
        """
        while len(self._buffer) < 2:
            self._read_more()
        if self._buffer.startswith(b"--"):
            return True
        if self._read_line(b"\r\n").strip(b" \t"):
            raise MultipartError("a boundary is followed by text")
        return False

    def _name(self) -> str | None:
        """
        Consume the headers of a part, and return the name of its field.
        """
        if self._buffer.startswith(b"\r\n"):
            raise MultipartError("a part has no headers")
        headers = BytesHeaderParser().parsebytes(self._read_line(b"\r\n\r\n"))
        name = headers.get_param("name", header="content-disposition")
        return name if isinstance(name, str) else None

    def _read_line(self, end: bytes) -> bytes:
        while (found := self._buffer.find(end)) < 0:
            if len(self._buffer) > _MAX_HEADER_BYTES:
                raise MultipartError("a header is too long")
            self._read_more()
        line = self._consume(found)
        self._consume(len(end))
        return line

    def _consume(self, count: int) -> bytes:
        consumed = bytes(self._buffer[:count])
        del self._buffer[:count]
        return consumed

    def _read_more(self) -> None:
        chunk = next(self._chunks, b"")
        if not chunk:
            raise MultipartError("the body ends too early")
        self._buffer += chunk
