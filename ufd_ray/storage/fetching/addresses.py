"""Which addresses of a network a stranger's URL may make us ask: the public ones."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_CLOUD = {ip_address("168.63.129.16"), ip_address("fd00:ec2::254"), ip_address("100.100.100.200")}
"""Where clouds tell a machine its secrets, besides the link-local 169.254.169.254."""
_CARRIER = IPv4Network("100.64.0.0/10")
_NAT64 = IPv6Network("64:ff9b::/96")


def refused_kind(address: str) -> str | None:
    """Why an address is not asked, in a word or two; None: it is a public one.

    Args:
        address: IPv4 or IPv6, as the resolver gives it.
    """
    ip = _innermost(ip_address(address.partition("%")[0]))
    if ip in _CLOUD:
        return "cloud metadata"
    if isinstance(ip, IPv4Address) and ip in _CARRIER:
        return "carrier-grade NAT"
    if isinstance(ip, IPv6Address) and ip.is_site_local:
        return "private"
    for kind in ("unspecified", "loopback", "link_local", "multicast", "reserved", "private"):
        if getattr(ip, f"is_{kind}"):
            return kind.replace("_", "-")
    return None if ip.is_global else "not public"


def _innermost(ip: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only wraps it."""
    if not isinstance(ip, IPv6Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
