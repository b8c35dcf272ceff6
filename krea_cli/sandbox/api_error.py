"""
Errors as the service responds with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any


class ApiError(Exception):
    """
    A response other than 200, with {"error": ...} and, for an invalid request body, its
    "issues", each with "path" and "message". `retry_after` is in seconds.
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
