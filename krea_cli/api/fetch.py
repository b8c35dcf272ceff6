"""
The bytes behind a URL of foreign origin: a result of a job, a picture given as input.

Such a URL is not to be trusted: no credential goes with it, it may not point into the
user's own network, and each redirect is looked at as if it were the first (hazards C15,
N12, N16).
"""

from __future__ import annotations

import ipaddress
import socket
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import SplitResult, urljoin, urlsplit

from krea_cli.api.transport import Transport
from krea_cli.api.wire import Stream
from krea_cli.clock import Clock, within
from krea_cli.errors import DownloadError, ServerFaultError

REDIRECTS = 5
RESOLVE_SECONDS = 10.0
SHOWN = 300
# Slower than this over half a minute is given up (hazard N1).
SLOWEST_BYTES, SLOWEST_SECONDS = 30_000, 30.0


class UrlGoneError(DownloadError):
    """
    The URL answers 401, 403, 404 or 410: it may have expired.
    """

    code = "url_gone"


class Fetcher:
    """
    *allows_loopback* is for a service that runs on this machine itself.
    """

    def __init__(
        self, transport: Transport, clock: Clock, *, allows_loopback: bool
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._allows_loopback = allows_loopback

    @contextmanager
    def open(self, url: str) -> Iterator[tuple[Iterator[bytes], int | None]]:
        """
        The chunks of the body and its length, None when the server does not say.

        Raises:
            UrlGoneError, DownloadError: the URL is refused or gives no good answer.
            ServiceError: the host cannot be reached, or the connection broke; also
                while the chunks are read.
        """
        for _ in range(REDIRECTS + 1):
            self._check(url)
            with self._transport.stream(url, {}) as stream:
                self._check_peer(stream.peer, url)
                target = stream.headers.get("Location")
                if 300 <= stream.status < 400 and target:
                    url = _joined(url, target)
                    continue
                yield self._body(stream, url), _length(stream.headers)
                return
        raise DownloadError(f"{_shown(url)} redirects more than {REDIRECTS} times.")

    def _body(self, stream: Stream, url: str) -> Iterator[bytes]:
        """
        Raises:
            DownloadError: a status or an encoding that no result has.
        """
        if stream.status in (401, 403, 404, 410):
            raise UrlGoneError(f"{_shown(url)} answered {stream.status}.")
        if stream.status >= 500 or stream.status == 429:
            raise ServerFaultError(f"{_shown(url)} answered {stream.status}.")
        if stream.status != 200:
            raise DownloadError(f"{_shown(url)} answered {stream.status}.")
        if stream.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise DownloadError(f"{_shown(url)} answered compressed, unasked.")
        return self._paced(stream.chunks, url)

    def _paced(self, chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
        since, seen = self._clock.now(), 0
        for chunk in chunks:
            yield chunk
            seen += len(chunk)
            if self._clock.now() - since >= SLOWEST_SECONDS:
                if seen < SLOWEST_BYTES:
                    raise DownloadError(f"{_shown(url)} sends too slowly; given up.")
                since, seen = self._clock.now(), 0

    def _check(self, url: str) -> None:
        """
        Raises:
            DownloadError: the URL is not https, or it leads to a private address.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.username is not None:
            raise DownloadError(f"{_shown(url)} is no URL that can be fetched.")
        literal = _address(host)
        if literal is not None:
            addresses = [literal]
        else:
            addresses = [] if self._is_proxied(parts) else _resolve(host, port)
        on_this_machine = addresses and all(found.is_loopback for found in addresses)
        if self._allows_loopback and on_this_machine:
            return
        if parts.scheme != "https":
            raise DownloadError(f"{_shown(url)} is not https, so it is not fetched.")
        if not all(found.is_global for found in addresses):
            raise DownloadError(
                f"{_shown(url)} leads to a private address, so it is not fetched."
            )

    def _check_peer(self, peer: str, url: str) -> None:
        """
        A name may resolve to another address than the one that was checked.

        Raises:
            DownloadError: the answer comes from a private address.
        """
        address = _address(peer)
        if address is None or self._is_proxied(urlsplit(url)):
            return
        if not address.is_global and not (
            address.is_loopback and self._allows_loopback
        ):
            raise DownloadError(
                f"{_shown(url)} leads to a private address, so it is not fetched."
            )

    def _is_proxied(self, parts: SplitResult) -> bool:
        if not self._transport.uses_environment:
            return False
        proxies = urllib.request.getproxies()
        has_proxy = bool(proxies.get(parts.scheme) or proxies.get("all"))
        return has_proxy and not urllib.request.proxy_bypass(parts.hostname or "")


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(host: str) -> Address | None:
    try:
        # inet_aton reads what a resolver reads: 127.1, 0x7f000001, 2130706433.
        if host.replace(".", "").isalnum() and host[0].isdigit():
            return ipaddress.IPv4Address(socket.inet_aton(host))
        address = ipaddress.ip_address(host)
    except (ValueError, OSError):
        return None
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


def _resolve(host: str, port: int | None) -> list[Address]:
    try:
        found = within(RESOLVE_SECONDS, lambda: socket.getaddrinfo(host, port or 443))
    except (OSError, UnicodeError):
        # The connection will fail by the same name, with a better message.
        return []
    addresses = (_address(str(entry[4][0]).partition("%")[0]) for entry in found)
    return [address for address in addresses if address is not None]


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError as exc:
        raise DownloadError(f"{_shown(url)} redirects to no URL.") from exc


def _length(headers: Mapping[str, str]) -> int | None:
    length = headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def _shown(url: str) -> str:
    """
    The URL without its query, which may be a signature (hazard C12), cut when long.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "The URL"
    if not parts.hostname:
        return "The URL"
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"
