"""
The proxies of the environment: which of them a request goes through, and which variable
is at fault when none can be used (hazard N9).
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

_SCHEMES = ("https", "http", "all")


def between(url: str) -> str | None:
    """
    The variable whose proxy a request for *url* goes through; None without one.
    """
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    scheme = next((one for one in (parts.scheme, "all") if proxies.get(one)), None)
    if scheme is None or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return _variable(scheme)


def broken(try_out: Callable[[str], object]) -> str:
    """
    The variable that holds no proxy by which anything could be sent: the first whose
    value *try_out* raises an error for, else that of the exceptions.
    """
    proxies = urllib.request.getproxies()
    for scheme in _SCHEMES:
        if value := proxies.get(scheme):
            try:
                try_out(value if "://" in value else f"http://{value}")
            except Exception:  # noqa: BLE001  (whatever a library may make of it)
                return _variable(scheme)
    return _variable("no")


def _variable(scheme: str) -> str:
    """
    Its name as it is spelled here; urllib prefers small letters, where both are set.
    """
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next((one for one in names if os.environ.get(one)), "the system's settings")
