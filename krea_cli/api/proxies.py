"""
The proxies of the environment: which of them a request goes through.
"""

from __future__ import annotations

import os
import urllib.request
from typing import NamedTuple
from urllib.parse import urlsplit

# The schemes of SOCKS proxies that httpx knows, given the package socksio.
SOCKS = ("socks5", "socks5h")
_PORTS = {"https": 443, "http": 80}


class Proxy(NamedTuple):
    """
    A proxy, and the *variable* that names it.
    """

    variable: str
    url: str


def between(url: str) -> Proxy | None:
    """
    The proxy that a request for *url* goes through; None without one.

    Proxies for other requests are not looked at, so that one which cannot be used is
    in nobody's way.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies()
    scheme = next((one for one in (parts.scheme, "all") if proxies.get(one)), None)
    if scheme is None:
        return None
    with_port = f"{host}:{parts.port or _PORTS.get(parts.scheme, '')}"
    if any(map(urllib.request.proxy_bypass, (host, with_port))):
        return None
    value = proxies[scheme]
    return Proxy(_variable(scheme), value if "://" in value else f"http://{value}")


def _variable(scheme: str) -> str:
    """
    Its name as it is spelled here; urllib prefers small letters, where both are set.
    """
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next((one for one in names if os.environ.get(one)), "the system's settings")
