"""
Recognize URLs of this computer.
"""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """
    Tell whether a host is this computer, by its name or address alone; no name is
    resolved.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    return host == "::1" or (address.version == 4 and address.is_loopback)
