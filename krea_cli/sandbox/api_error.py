"""
What the sandbox does not do, told as the service tells it.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any


class ApiError(Exception):
    """
    An answer other than 200: the status, {"error": ...} and, for a request body, what
    is wrong in it as "issues" of "path" and "message"; *retry_after* in seconds.
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
        self.answer: dict[str, Any] = {"error": error}
        if found := [{"path": path, "message": text} for path, text in issues]:
            self.answer["issues"] = found
