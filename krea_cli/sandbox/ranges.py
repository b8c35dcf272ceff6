"""
Parse the Range header (RFC 9110, section 14).
"""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class UnsatisfiableRangeError(Exception):
    """
    The range begins after the end of the file (status 416).
    """


def parse_range(
    wanted: str | None, if_range: str | None, *, size: int, etag: str
) -> range | None:
    """
    Return the range of bytes to send, or None for the whole file.

    The whole file is sent if there is no Range header, several ranges, another unit, or
    an If-Range header with another ETag.

    Raises:
        UnsatisfiableRangeError: the range contains no byte of the file.
    """
    match = _RANGE.fullmatch((wanted or "").strip())
    if not match or (if_range is not None and if_range != etag):
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        found = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        found = range(int(first), min(size, int(last) + 1) if last else size)
    if not found:
        raise UnsatisfiableRangeError
    return found
