"""
The body of a request, read in chunks from the connection.
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


class Body:
    """
    *left* are the bytes that have not been read yet, None when the client did not say
    how many there are.
    """

    def __init__(self, stream: BufferedIOBase, headers: Message) -> None:
        self.left = _length(headers)
        self._stream = stream

    def chunks(self, limit: int) -> Iterator[bytes]:
        """
        The body as it comes in.

        Raises:
            Refusal: 411, its length is not known; 413, it is more than *limit* bytes.
                Nothing was read then.
            ConnectionResetError: it breaks off.
        """
        if self.left is None:
            raise ApiError(HTTPStatus.LENGTH_REQUIRED, "Content-Length is required")
        if self.left > limit:
            raise ApiError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request body too large"
            )
        while self.left:
            chunk = self._stream.read(min(_CHUNK, self.left))
            if not chunk:
                raise ConnectionResetError("the body broke off")
            self.left -= len(chunk)
            yield chunk

    def skip(self) -> None:
        """
        Read what is left, if it is known how much that is, for nobody.
        """
        if self.left is not None:
            for _ in self.chunks(self.left):
                pass

    @cached_property
    def content(self) -> bytes:
        """
        The whole body, if it is as short as a request is.
        """
        return b"".join(self.chunks(JSON_LIMIT))

    def json(self) -> dict[str, Any]:
        """
        Raises:
            Refusal: 400, it is no JSON object.
        """
        try:
            data = parse_strict_json(self.content)
        except (ValueError, RecursionError) as exc:
            raise ApiError(HTTPStatus.BAD_REQUEST, "Invalid JSON") from exc
        if not isinstance(data, dict):
            raise ApiError(HTTPStatus.BAD_REQUEST, "The body is no JSON object")
        return data


def _length(headers: Message) -> int | None:
    told = headers.get("Content-Length", "0").strip()
    if "Transfer-Encoding" in headers or not (told.isascii() and told.isdigit()):
        return None
    return int(told[:18])
