"""
The dates in the headers of answers.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def seconds_of(date: str | None) -> float | None:
    """
    An HTTP date as seconds since the epoch; one that names no zone is of UTC.  None
    without one, and for what is no date.
    """
    try:
        told = parsedate_to_datetime(date or "")
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
