"""
Parse the dates in response headers.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def parse_http_date(header: str | None) -> float | None:
    """
    Return an HTTP date in seconds since the epoch, or None if it is missing or invalid.
    A date without a time zone is in UTC.
    """
    try:
        parsed = parsedate_to_datetime(header or "")
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
