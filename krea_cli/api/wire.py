"""
What goes over the wire as bytes, and what comes back as values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from krea_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A whole answer of the API; header names are found in any case.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """
    An answer whose body is still to come; *peer* is the address that it comes from.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    peer: str


def encode(body: Mapping[str, Any]) -> bytes:
    """
    The request body as it is sent: serialised once, so that it can be hashed.

    Raises:
        UsageError: it has text that is no Unicode, or numbers that JSON has not.
    """
    try:
        text = json.dumps(
            body, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except UnicodeEncodeError as exc:
        raise UsageError("The request has text that is no valid UTF-8.") from exc
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"The request cannot be written as JSON: {exc}.") from exc
