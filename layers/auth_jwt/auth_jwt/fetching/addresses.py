"""Which servers may be asked: an https URL whose name has public addresses only, or those that the operator accepts.

An issuer's documents name further addresses, and a name can point anywhere, to the metadata of cloud machines and to
the operator's own network as well. So a name is resolved once, every address is judged, and the connection goes to an
address that was judged (OWASP: server-side request forgery; DNS rebinding).
"""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final
from urllib.parse import urlsplit

from auth_jwt.errors import Invalid
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.issuers.models import check_keys_url
from auth_jwt.ports import Deadline

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[..., Sequence[tuple[Any, ...]]]
"""As `socket.getaddrinfo`."""

HTTPS_PORT: Final = 443

HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
"""A name, or an address without brackets."""

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")  # all that has been given out: RFC 4291, section 2.4
_DOCUMENTATION: Final = IPv6Network("3fff::/20")  # RFC 9637, which Python knows since 3.14
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052, section 2.1


@dataclass(frozen=True, slots=True)
class Location:
    """Where a document is.

    Attributes:
        host: a name, or an address without brackets.
        port: the port.
        target: path and query.
    """

    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The value of the `Host` header (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == HTTPS_PORT else f"{host}:{self.port}"


def locate(url: str) -> Location:
    """Return where the document at *url* is.

    Raises:
        FetchFailed: `bad_url`. It is no https URL with a host, or it has user info or a fragment.
    """
    try:
        check_keys_url(url)
    except Invalid as error:
        raise FetchFailed(FailureKind.BAD_URL, str(error)) from None
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not HOST.fullmatch(host):
        raise FetchFailed(FailureKind.BAD_URL, "the host in the address is neither a name nor an IP address")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Location(host, parts.port or HTTPS_PORT, target)


def resolve(
    location: Location,
    *,
    accepted: Sequence[Network],
    resolver: Resolver,
    deadline: Deadline,
) -> tuple[str, ...]:
    """Return the addresses of a host, each of them judged. The host's name is resolved once.

    Args:
        location: whose host it is.
        accepted: networks of the operator's whose addresses need not be public.
        resolver: resolves the name. It runs in a thread of its own, which nobody waits for beyond the deadline.
        deadline: when to give up.

    Raises:
        FetchFailed: `unresolvable`, `timeout`, or `not_public`: at least one address is neither public nor accepted.
    """
    addresses = _look_up(location, resolver, deadline)
    for address in addresses:
        if not is_public(address) and not _is_accepted(address, accepted):
            raise FetchFailed(
                FailureKind.NOT_PUBLIC,
                f"{location.host} has the address {address}, which is not public. If that server is yours, name its"
                " network among the accepted ones",
            )
    return tuple(str(address) for address in addresses)


def is_public(address: Address) -> bool:
    """Tell whether *address* is one of the public internet.

    An IPv6 address that leads to an IPv4 address is judged by that one.
    """
    inner = _inner_addresses(address)
    if inner:
        return all(is_public(each) for each in inner)
    if isinstance(address, IPv6Address) and (address not in _GLOBAL_UNICAST or address in _DOCUMENTATION):
        return False
    return address.is_global and not address.is_multicast


def _is_accepted(address: Address, accepted: Sequence[Network]) -> bool:
    """Tell whether *address* is in one of the networks; or the IPv4 addresses are that it leads to."""
    inner = _inner_addresses(address)
    return _is_within(address, accepted) or (bool(inner) and all(_is_within(each, accepted) for each in inner))


def _is_within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _inner_addresses(address: Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses to which an IPv6 address leads, by translation or through a tunnel."""
    if isinstance(address, IPv4Address):
        return ()
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo  # the tunnel's server, and its end
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


def _look_up(location: Location, resolver: Resolver, deadline: Deadline) -> list[Address]:
    """Return the distinct addresses of a host, in the resolver's order.

    Raises:
        FetchFailed: `unresolvable` or `timeout`.
    """
    answers: SimpleQueue[Sequence[tuple[Any, ...]] | None] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolver(location.host, location.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):  # the second for labels that no name can have
            answers.put(None)

    seconds = deadline.seconds_left()
    Thread(target=ask, name="resolver", daemon=True).start()
    try:
        found = answers.get(timeout=seconds)
    except Empty:
        raise FetchFailed(
            FailureKind.TIMEOUT,
            f"the name {location.host} was not resolved in time: look at the resolver of the network that this runs in",
        ) from None
    if not found:
        raise FetchFailed(
            FailureKind.UNRESOLVABLE,
            f"the name {location.host} has no address: check how it is written, and the resolver of the network that"
            " this runs in",
        )
    return list(dict.fromkeys(ip_address(place[0]) for *_, place in found))
