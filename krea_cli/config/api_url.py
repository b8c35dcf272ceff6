"""
Check API URLs, and determine their origins.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from krea_cli.runtime import loopback

_PORTS = {"https": 443, "http": 80}
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")


def normalize(url: str) -> str:
    """
    Normalize a base URL: lower-case scheme and host, no default port, no trailing
    slash.

    Raises:
        ValueError: this is not an https URL (http only on loopback) with just host,
            port and path. The message does not repeat the URL, which may contain a
            password.
    """
    parts = _split(url.strip())
    return f"{_origin(parts)}{parts.path.rstrip('/')}"


def origin(url: str) -> str:
    """
    Return `scheme://host[:port]` in lower case, without a default port.

    Two URLs have the same origin exactly if they lead to the same server.

    Raises:
        ValueError: as in `normalize`.
    """
    return _origin(_split(url))


def is_loopback(url: str) -> bool:
    """
    Return whether the URL leads to this machine.

    Raises:
        ValueError: as in `normalize`.
    """
    return loopback.is_loopback(_host(_split(url)))


def _split(url: str) -> SplitResult:
    # Check this first: urlsplit silently drops line breaks and keeps backslashes.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("must be an ASCII URL")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError("must start with https://")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password")
    if "?" in url or "#" in url:
        raise ValueError("must not contain ? or #")
    host = _host(parts)
    if parts.scheme == "http" and not loopback.is_loopback(host):
        raise ValueError(
            "must start with https:// (http:// is allowed only for localhost)"
        )
    return parts


def _origin(parts: SplitResult) -> str:
    host, port = _host(parts), _port(parts)
    if ":" in host:
        host = f"[{host}]"
    if port is None or port == _PORTS[parts.scheme]:
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def _host(parts: SplitResult) -> str:
    """
    Return the host as a lower-case name, or as an IP address in its shortest form.
    """
    host = parts.hostname or ""
    if ":" in host:
        return _ipv6(host)
    if not _NAME.fullmatch(host):
        raise ValueError("must contain a host name")
    return host


def _ipv6(host: str) -> str:
    try:
        return ip_address(host).compressed
    except ValueError:
        raise ValueError("IPv6 addresses need [ ]") from None


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ValueError("port must be a number up to 65535") from None
