"""Whose word on the sender's address counts: the proxies in front of the web process, by address or network."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
_AT_HOME = ("127.0.0.0/8", "0.0.0.0", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "::")


def networks(text: str) -> tuple[Network, ...]:
    """`127.0.0.1,10.0.0.0/8` as networks. Raises ValueError."""
    return tuple(ip_network(part, strict=False) for part in (piece.strip() for piece in text.split(",")) if part)


def sender(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> str:
    """The nearest address that is none of our proxies. `forwarded`: X-Forwarded-For, the latest hop last.

    Each hop is believed only when a trusted one reported it, so that a sender cannot make up where it is.
    """
    here = peer
    for hop in reversed([part.strip() for line in forwarded for part in line.split(",")]):
        if not is_in(here, trusted) or _read(hop) is None:
            break
        here = str(_read(hop))
    return here


def is_in(address: str, known: Sequence[Network]) -> bool:
    read = _read(address)
    return read is not None and any(read in network for network in known)


def is_reachable(url: str) -> bool:
    """Whether somebody outside could reach this address, as far as it tells itself."""
    host = urlsplit(url).hostname or "localhost"
    return host != "localhost" and not is_in(host, networks(",".join(_AT_HOME)))


def is_this_machine(host: str) -> bool:
    """Whether who listens on `host` hears nobody but this machine."""
    return host == "localhost" or is_in(host, networks("127.0.0.0/8,::1"))


def limited_as(address: str) -> str:
    """What failures are counted by: an IPv6 sender has a whole /64 to itself."""
    read = _read(address)
    return str(ip_network((read, 64), strict=False)) if isinstance(read, IPv6Address) else address


def _read(text: str) -> Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
