"""
Read the body of a request from the connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from functools import cached_property
from http import HTTPStatus
from io import BufferedIOBase
from typing import Any

from krea_cli.api.http_types import parse_strict_json
from krea_cli.sandbox.api_error import ApiError

JSON_LIMIT = 32 * 2**20
_CHUNK = 1 << 16


class BodyReader:
    """
    Reads a body; `unread` is how many bytes are left, None if the client did not say.
    """

    def __init__(self, stream: BufferedIOBase, headers: Message) -> None:
        self.unread = _length(headers)
        self._stream = stream

    def read_chunks(self, limit: int) -> Iterator[bytes]:
        """
        Yield the body as it arrives.

        Raises:
            ApiError: 411, its length is unknown; 413, it has more than `limit` bytes.
                Then nothing was read.
            ConnectionResetError: the body breaks off.
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
        Read the rest of the body, if its length is known, and drop it.
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
        Raises:
            ApiError: 400, the body is not a JSON object.
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
