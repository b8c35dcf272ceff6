"""
Recognize hosts that are this computer.
"""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """
    Return whether a host name or address is this computer. Names are not resolved.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    return host == "::1" or (address.version == 4 and address.is_loopback)
