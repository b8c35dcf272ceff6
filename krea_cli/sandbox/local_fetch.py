"""
Files that another program on this machine serves; the sandbox reaches no further.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from urllib.parse import SplitResult

_CHUNK = 1 << 16
_QUIET_SECONDS = 5.0
_TOTAL_SECONDS = 20.0


class FetchError(Exception):
    """
    The URL gave no file.
    """


def fetch(url: SplitResult) -> Iterator[bytes]:
    """
    The bytes behind an http or https URL whose host is loopback.  No proxy and no
    redirect is followed.

    Raises:
        FetchError: nobody answers, the answer is not 200, or it takes too long.
    """
    secure = url.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    deadline = time.monotonic() + _TOTAL_SECONDS
    try:
        connection = kind(url.hostname or "", url.port, timeout=_QUIET_SECONDS)
        try:
            target = url.path or "/"
            connection.request("GET", f"{target}?{url.query}" if url.query else target)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise FetchError(f"it answers {answer.status}")
            while chunk := answer.read(_CHUNK):
                yield chunk
                if time.monotonic() > deadline:
                    raise FetchError("it takes too long")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise FetchError(str(exc)) from exc
