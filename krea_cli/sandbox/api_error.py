"""
Error responses in the format of the Krea API.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any


class ApiError(Exception):
    """
    A response with an error status and a JSON body.

    The body is {"error": ...}. For an invalid request body it also has "issues", each
    with "path" and "message". `retry_after` is in seconds.
    """

    def __init__(
        self,
        status: HTTPStatus,
        error: str,
        issues: Iterable[tuple[str, str]] = (),
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.headers = {} if retry_after is None else {"Retry-After": f"{retry_after}"}
        self.body: dict[str, Any] = {"error": error}
        if found := [{"path": path, "message": text} for path, text in issues]:
            self.body["issues"] = found
