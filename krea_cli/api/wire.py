"""
What comes back over the wire, as values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


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
