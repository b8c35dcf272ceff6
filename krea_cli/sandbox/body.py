"""
Read request bodies.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from functools import cached_property
from http import HTTPStatus
from io import BufferedIOBase
from typing import Any

from krea_cli.runtime.strict_json import parse_strict_json
from krea_cli.sandbox.api_error import ApiError

JSON_LIMIT = 32 * 2**20
_CHUNK = 1 << 16


class BodyReader:
    """
    Reads the body of a request.

    `unread` is the number of bytes left, or None if the client did not send a length.
    """

    def __init__(self, stream: BufferedIOBase, headers: Message) -> None:
        self.unread = _length(headers)
        self._stream = stream

    def read_chunks(self, limit: int) -> Iterator[bytes]:
        """
        Yield the body in chunks as it arrives.

        Raises:
            ApiError: 411 if the length is unknown; 413 if it is over `limit` bytes.
                Nothing is read in these cases.
            ConnectionResetError: the body ends too early.
        """
        if self.unread is None:
            raise ApiError(HTTPStatus.LENGTH_REQUIRED, "Content-Length is required")
        if self.unread > limit:
            raise ApiError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request body too large"
            )
        while self.unread:
            chunk = self._stream.read(min(_CHUNK, self.unread))
            if not chunk:
                raise ConnectionResetError("the body broke off")
            self.unread -= len(chunk)
            yield chunk

    def discard(self) -> None:
        """
        Read and discard the rest of the body, if its length is known.
        """
        if self.unread is not None:
            for _ in self.read_chunks(self.unread):
                pass

    @cached_property
    def content(self) -> bytes:
        """
        The whole body, at most `JSON_LIMIT` bytes.
        """
        return b"".join(self.read_chunks(JSON_LIMIT))

    def read_json(self) -> dict[str, Any]:
        """
        Parse the body as JSON.

        Raises:
            ApiError: 400 if the body is not a JSON object.
        """
        try:
            data = parse_strict_json(self.content)
        except (ValueError, RecursionError) as exc:
            raise ApiError(HTTPStatus.BAD_REQUEST, "Invalid JSON") from exc
        if not isinstance(data, dict):
            raise ApiError(HTTPStatus.BAD_REQUEST, "The body is not a JSON object")
        return data


def _length(headers: Message) -> int | None:
    declared = headers.get("Content-Length", "0").strip()
    if "Transfer-Encoding" in headers or not (
        declared.isascii() and declared.isdigit()
    ):
        return None
    return int(declared[:18])
