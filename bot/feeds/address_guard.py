"""A resolved address goes in, a socket or a refusal comes out.

The check sits where the socket is made, so it sees the very address that is about to be contacted: on every redirect,
for every answer of the name server (also one that changed since the last look), and for hosts written as numbers,
which aiohttp never shows to its resolver.
"""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]

# Outside the range of real ones, because aiohappyeyeballs folds several errors into one and keeps only a common errno.
BLOCKED_ERRNO = 0x70C51

# Public by the letter of `is_global`, in one Python version or another, and yet not somewhere a feed can live.
_NEVER_PUBLIC = tuple(
    ip_network(net)
    for net in (
        "100.64.0.0/10",  # carrier-grade NAT; also the metadata service of Alibaba Cloud
        "168.63.129.16/32",  # Azure's host agent
        "192.0.0.0/24",  # protocol assignments; also the metadata service of Oracle Cloud
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments (Teredo and 6to4 are unwrapped before this is asked)
        "2001:db8::/32",
        "3fff::/20",
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_V4_COMPATIBLE = IPv6Network("::/96")


class BlockedAddressError(OSError):
    """The address is not public and no entry of the allow-list covers it; nothing was sent to it."""

    def __init__(self, address: str) -> None:
        super().__init__(BLOCKED_ERRNO, f"{address} is not a public address")


def guarded_socket_factory(allow_addresses: Sequence[str]) -> Callable[[AddressInfo], socket.socket]:
    """The `socket_factory` of an aiohttp connector that refuses every address but public and allowed ones.

    `allow_addresses` are networks as in "127.0.0.0/8" or "fd00::/8"; raises ValueError for anything else.
    """
    allowed = tuple(ip_network(network) for network in allow_addresses)

    def make_socket(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not may_contact(address[0], allowed):
            raise BlockedAddressError(address[0])
        return socket.socket(family, kind, protocol)

    return make_socket


def may_contact(address: str, allowed: Sequence[Any] = ()) -> bool:
    """True for a public unicast address and for one inside an `allowed` network (of `ipaddress.ip_network`).

    An IPv6 address that carries an IPv4 address is judged by both. What cannot be read as an address is refused.
    """
    try:
        outer = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_is_public(face) or any(face in network for network in allowed) for face in _faces(outer))


def was_blocked(error: BaseException | None) -> bool:
    """Whether the guard's refusal is what ended a connection attempt, however deep it is wrapped."""
    while error is not None:
        if getattr(error, "errno", None) == BLOCKED_ERRNO:
            return True
        error = error.__cause__ or error.__context__
    return False


def _faces(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The addresses a packet may end up at: the IPv4 ones inside a transition address, else the address itself."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address.teredo:
        return list(address.teredo)
    if address.sixtofour:
        return [address.sixtofour]
    if address in _NAT64 or (address in _V4_COMPATIBLE and int(address) > 1):
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    return [address]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _PUBLIC_V6:
        return False
    if any(address in network for network in _NEVER_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
