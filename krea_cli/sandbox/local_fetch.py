"""
Fetch files from other programs on this machine. The sandbox accesses no other host.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from urllib.parse import SplitResult

_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 5.0
_TOTAL_SECONDS = 20.0


class FetchError(Exception):
    """
    The file cannot be fetched.
    """


def fetch(url: SplitResult) -> Iterator[bytes]:
    """
    Fetch an HTTP(S) URL on this machine, without proxy or redirects.

    Raises:
        FetchError: there is no response, its status is not 200, or it takes too long.
    """
    secure = url.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    deadline = time.monotonic() + _TOTAL_SECONDS
    try:
        connection = kind(url.hostname or "", url.port, timeout=_TIMEOUT_SECONDS)
        try:
            target = url.path or "/"
            connection.request("GET", f"{target}?{url.query}" if url.query else target)
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise FetchError(f"it responds with {response.status}")
            while chunk := response.read(_CHUNK):
                yield chunk
                if time.monotonic() > deadline:
                    raise FetchError("it takes too long")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise FetchError(str(exc)) from exc
