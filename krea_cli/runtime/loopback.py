"""
What of a URL says that it leads to this machine itself.
"""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """
    By the name or the address alone: no name is resolved for it.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    return host == "::1" or (address.version == 4 and address.is_loopback)
