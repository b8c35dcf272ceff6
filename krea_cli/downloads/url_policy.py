"""
Decide which URLs may be fetched.

A URL comes from a response, or from the user's input to the service that returned it:
it must not lead into the user's own network or to this computer.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from krea_cli.api import proxies
from krea_cli.api.http_types import SHOWN
from krea_cli.errors import DownloadError, UnsupportedResultError
from krea_cli.runtime.clock import run_with_timeout

RESOLVE_SECONDS = 10.0
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What some version of Python calls global, and nobody serves results from: ways from
# one kind of address to the other, and what was reserved long ago.
_NEVER = [
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
# Networks without IPv4 reach it by these; it ends with the address that is meant.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|[0-9a-f:.]+(?:%[a-z0-9_.-]+)?")
# Names that lead into the own network, whoever resolves them.
_LOCAL_NAMES = ("localhost", "localdomain", "local", "internal", "home.arpa", "lan")


class UrlPolicy:
    """
    *allows_loopback* is for a service that runs on this machine itself;
    *uses_environment* says whether the proxy variables count.
    """

    def __init__(self, *, allows_loopback: bool, uses_environment: bool) -> None:
        self._allows_loopback = allows_loopback
        self._uses_environment = uses_environment

    def check(self, url: str) -> None:
        """
        Raises:
            DownloadError: the URL is not https, or it leads to a private address.
        """
        try:
            parts = urlsplit(url)
            host, port = _plain(parts.hostname or ""), parts.port
        except ValueError:
            host = ""
        if not host or parts.username is not None:
            # Other programs cannot download it either, so no hint prints it.
            raise UnsupportedResultError(
                f"{shown(url)} is invalid, so nothing was downloaded."
            )
        literal = _address(host)
        if literal is not None:
            addresses = [literal]
        elif not self._is_proxied(url):
            addresses = _resolve(host, port)
        elif _is_local_name(host):
            raise _private(url)
        else:
            addresses = []
        on_this_machine = addresses and all(found.is_loopback for found in addresses)
        is_http = parts.scheme in ("http", "https")
        if self._allows_loopback and on_this_machine and is_http:
            return
        if parts.scheme != "https":
            raise DownloadError(
                f"{shown(url)} was not downloaded: it does not start with https://.",
                is_lasting=True,
            )
        if not all(map(_is_public, addresses)):
            raise _private(url)

    def check_peer(self, peer: str, url: str) -> None:
        """
        A name may resolve to another address than the one that was checked.

        Raises:
            DownloadError: the answer comes from a private address.
        """
        address = _address(peer)
        if address is None or self._is_proxied(url):
            return
        if not _is_public(address) and not (
            address.is_loopback and self._allows_loopback
        ):
            raise _private(url)

    def _is_proxied(self, url: str) -> bool:
        return self._uses_environment and proxies.between(url) is not None


def shown(url: str) -> str:
    """
    The URL without its query, which may be a signature, cut when long.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "The URL of the result"
    if not parts.hostname:
        return "The URL of the result"
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _private(url: str) -> DownloadError:
    return DownloadError(
        f"{shown(url)} was not downloaded: it leads to a private address.",
        is_lasting=True,
    )


def _plain(host: str) -> str:
    """
    The host as it will be looked up: full stops and digits have many spellings.

    Raises:
        ValueError: it is no host.
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
    if any(address in network for network in _NEVER):
        return False
    return address.is_global and not address.is_multicast


def _address(host: str) -> Address | None:
    try:
        # inet_aton reads what a resolver reads: 127.1, 0x7f000001, 2130706433.
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
            RESOLVE_SECONDS, lambda: socket.getaddrinfo(host, port or 443)
        )
    except (OSError, UnicodeError):
        # The connection will fail by the same name, with a better message.
        return []
    addresses = (_address(str(entry[4][0]).partition("%")[0]) for entry in found)
    return [address for address in addresses if address is not None]
