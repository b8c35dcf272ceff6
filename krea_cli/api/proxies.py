"""
Find the proxy for a request in the environment.
"""

from __future__ import annotations

import os
import urllib.request
from typing import NamedTuple
from urllib.parse import urlsplit

# httpx supports these with the package socksio.
SOCKS_SCHEMES = ("socks5", "socks5h")
_PORTS = {"https": 443, "http": 80}


class Proxy(NamedTuple):
    """
    The URL of a proxy, and the environment variable that sets it.
    """

    variable: str
    url: str


def proxy_for(url: str) -> Proxy | None:
    """
    Return the proxy for requests to `url`; None to connect directly.

    Other proxies are ignored, so an invalid one causes no error here.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies()
    scheme = next((key for key in (parts.scheme, "all") if proxies.get(key)), None)
    if scheme is None:
        return None
    with_port = f"{host}:{parts.port or _PORTS.get(parts.scheme, '')}"
    if any(map(urllib.request.proxy_bypass, (host, with_port))):
        return None
    value = proxies[scheme]
    return Proxy(_variable(scheme), value if "://" in value else f"http://{value}")


def _variable(scheme: str) -> str:
    """
    Return the name of the variable as set; like urllib, prefer lower case.
    """
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next(filter(os.environ.get, names), "the system's settings")
