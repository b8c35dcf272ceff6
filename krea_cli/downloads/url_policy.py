"""
Decide which URLs may be downloaded.

URLs come from the service or from the user's input. They must not lead to this computer
or into its private network.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from krea_cli.api import proxies
from krea_cli.api.http_types import MAX_QUOTED_CHARS
from krea_cli.errors import DownloadError, UnsupportedResultError
from krea_cli.runtime.clock import run_with_timeout

RESOLVE_TIMEOUT_SECONDS = 10.0
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Ranges that some Python versions wrongly report as global: translated addresses and
# reserved ranges.
_NON_PUBLIC_NETWORKS = [
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "::/96",
        "::ffff:0:0:0/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
]
# Stands for the IPv4 address in its last 32 bits, in networks without IPv4.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|[0-9a-f:.]+(?:%[a-z0-9_.-]+)?")
# Host names that lead into the private network with any resolver.
_LOCAL_NAMES = ("localhost", "localdomain", "local", "internal", "home.arpa", "lan")


class UrlPolicy:
    """
    Reject URLs that are not public. `allows_loopback` is for a service on this
    computer. With `trust_env`, proxies from the environment are used.
    """

    def __init__(self, *, allows_loopback: bool, trust_env: bool) -> None:
        self._allows_loopback = allows_loopback
        self._trust_env = trust_env

    def check(self, url: str) -> None:
        """
        Check a URL before the connection.

        Raises:
            DownloadError: the URL is not https, or it leads to a private address.
        """
        try:
            parts = urlsplit(url)
            host, port = _normalize_host(parts.hostname or ""), parts.port
        except ValueError:
            host = ""
        if not host or parts.username is not None:
            # No hint to download it in another way: no program can.
            raise UnsupportedResultError(
                f"{displayed_url(url)} is not a valid URL, so nothing was downloaded."
            )
        literal = _address(host)
        if literal is not None:
            addresses = [literal]
        elif not self._is_proxied(url):
            addresses = _resolve(host, port)
        elif _is_local_name(host):
            raise _private_address_error(url)
        else:
            addresses = []
        on_this_machine = addresses and all(found.is_loopback for found in addresses)
        is_http = parts.scheme in ("http", "https")
        if self._allows_loopback and on_this_machine and is_http:
            return
        if parts.scheme != "https":
            raise DownloadError(
                f"{displayed_url(url)} was not downloaded: it does not start with https://.",
                is_lasting=True,
            )
        if not all(map(_is_public, addresses)):
            raise _private_address_error(url)

    def check_peer(self, peer: str, url: str) -> None:
        """
        Check the server's address: the host name may have resolved differently since
        `check`.

        Raises:
            DownloadError: the address is private.
        """
        address = _address(peer)
        if address is None or self._is_proxied(url):
            return
        if not _is_public(address) and not (
            address.is_loopback and self._allows_loopback
        ):
            raise _private_address_error(url)

    def _is_proxied(self, url: str) -> bool:
        return self._trust_env and proxies.proxy_for(url) is not None


def displayed_url(url: str) -> str:
    """
    Return the URL for messages: shortened, and without its query, which may be secret.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "The result's address from Krea"
    if not parts.hostname:
        return "The result's address from Krea"
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return text if len(text) <= MAX_QUOTED_CHARS else f"{text[: MAX_QUOTED_CHARS - 1]}…"


def _private_address_error(url: str) -> DownloadError:
    return DownloadError(
        f"{displayed_url(url)} was not downloaded: it leads to a private address.",
        is_lasting=True,
    )


def _normalize_host(host: str) -> str:
    """
    Return the host as it will be looked up, in ASCII and lower case.

    Raises:
        ValueError: it is not a valid host.
    """
    if not host.isascii():
        host = host.encode("idna").decode()
    host = host.lower().removesuffix(".")
    if not _HOST.fullmatch(host):
        raise ValueError(host)
    return host


def _is_local_name(host: str) -> bool:
    return "." not in host or f".{host}".endswith(tuple(f".{n}" for n in _LOCAL_NAMES))


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NON_PUBLIC_NETWORKS):
        return False
    return address.is_global and not address.is_multicast


def _address(host: str) -> Address | None:
    try:
        # Like a resolver, inet_aton accepts 127.1, 0x7f000001 and 2130706433.
        if host.replace(".", "").isalnum() and host[0].isdigit():
            return ipaddress.IPv4Address(socket.inet_aton(host))
        address = ipaddress.ip_address(host)
    except (ValueError, OSError):
        return None
    if isinstance(address, ipaddress.IPv6Address) and address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address
    return address


def _resolve(host: str, port: int | None) -> list[Address]:
    try:
        found = run_with_timeout(
            RESOLVE_TIMEOUT_SECONDS, lambda: socket.getaddrinfo(host, port or 443)
        )
    except (OSError, UnicodeError):
        # The connection will fail for the same reason, with a better message.
        return []
    addresses = (_address(str(entry[4][0]).partition("%")[0]) for entry in found)
    return [address for address in addresses if address is not None]
