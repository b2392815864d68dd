"""Which addresses may be asked: https, and public or accepted, each of them, looked up once."""

import socket
import threading
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from auth_jwt.fetching.addresses import Location, Network, is_public, locate, resolve
from auth_jwt.fetching.errors import FailureKind, FetchFailed
from auth_jwt.ports import Deadline
from tests.unit.fetching.servers import AResolver

PUBLIC = "93.184.215.14"
PUBLIC_V6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


def addresses_of(*found: str, accepted: Sequence[Network] = ()) -> tuple[str, ...]:
    return resolve(
        Location("login.test", 443, "/"), accepted=accepted, resolver=AResolver(*found), deadline=Deadline(5)
    )


def kind_of_failure(resolver: Any, *, seconds: float = 5) -> FailureKind:
    with pytest.raises(FetchFailed, match=r"login\.test") as caught:
        resolve(Location("login.test", 443, "/"), accepted=(), resolver=resolver, deadline=Deadline(seconds))
    return caught.value.kind


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://login.test", Location("login.test", 443, "/")),
        ("https://login.test/keys", Location("login.test", 443, "/keys")),
        ("https://login.test:8443/keys?appid=1&b=", Location("login.test", 8443, "/keys?appid=1&b=")),
        ("https://login.test?a", Location("login.test", 443, "/?a")),
        ("https://[2606:2800::1]:8443/", Location("2606:2800::1", 8443, "/")),
        ("https://93.184.215.14/", Location("93.184.215.14", 443, "/")),
    ],
)
def test_an_https_url_says_where_a_document_is(url: str, location: Location) -> None:
    assert locate(url) == location


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://login.test/", id="plain http"),
        pytest.param("HTTPS://login.test/", id="upper case"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("https:///keys", id="no host"),
        pytest.param("https://u:p@login.test/", id="a user and a password"),
        pytest.param("https://u@login.test/", id="a user"),
        pytest.param("https://login.test/#f", id="a fragment"),
        pytest.param("https://login.test/#", id="an empty fragment"),
        pytest.param("https://login.test:0/", id="port 0"),
        pytest.param("https://login.test:65536/", id="a port too high"),
        pytest.param("https://login.test:a/", id="no port"),
        pytest.param("https://login\\.test/", id="a backslash in the host"),
        pytest.param("https://login%2etest/", id="a quoted character in the host"),
        pytest.param("https://[fe80::1%25eth0]/", id="an address with a scope"),
        pytest.param("https://[2606:2800::1]login.test/", id="a name behind an address"),
        pytest.param("https://[2606:2800::1]:443login.test/", id="a name behind a port"),
        pytest.param("https://[v1.login.test]/", id="a name in brackets"),
        pytest.param("https://login.test/a b", id="a blank"),
        pytest.param("https://login.test/a\r\nX: y", id="a line break"),
        pytest.param("https://löschen.test/", id="beyond ASCII"),
    ],
)
def test_any_other_url_is_refused_before_a_name_is_resolved(url: str) -> None:
    with pytest.raises(FetchFailed) as caught:
        locate(url)

    assert caught.value.kind is FailureKind.BAD_URL


@pytest.mark.parametrize(
    ("location", "host"),
    [
        (Location("login.test", 443, "/"), "login.test"),
        (Location("login.test", 8443, "/"), "login.test:8443"),
        (Location("2606:2800::1", 443, "/"), "[2606:2800::1]"),
        (Location("2606:2800::1", 8443, "/"), "[2606:2800::1]:8443"),
    ],
)
def test_the_host_header_names_a_port_only_where_it_is_not_the_usual_one(location: Location, host: str) -> None:
    assert location.authority == host


@pytest.mark.parametrize(
    "address",
    [
        PUBLIC,
        PUBLIC_V6,
        pytest.param("::ffff:93.184.215.14", id="a public one as IPv6"),
        pytest.param("2002:5db8:d70e::1", id="6to4 of a public one"),
        pytest.param("64:ff9b::5db8:d70e", id="NAT64 of a public one"),
        pytest.param("2001:0:5db8:d70e:0:0:a247:28f1", id="Teredo between public ones"),
    ],
)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


NOT_PUBLIC = [
    pytest.param("127.0.0.1", id="loopback"),
    pytest.param("10.1.2.3", id="a private network"),
    pytest.param("172.16.0.1", id="another private network"),
    pytest.param("192.168.1.1", id="a network at home"),
    pytest.param("169.254.169.254", id="metadata of a cloud machine"),
    pytest.param("169.254.170.2", id="credentials of a container"),
    pytest.param("100.64.0.1", id="a carrier's network"),
    pytest.param("0.0.0.0", id="this host"),
    pytest.param("192.0.2.1", id="documentation"),
    pytest.param("198.18.0.1", id="benchmarks"),
    pytest.param("224.0.0.1", id="multicast"),
    pytest.param("239.1.2.3", id="multicast in an organization"),
    pytest.param("233.252.1.1", id="multicast that counts as global"),
    pytest.param("240.0.0.1", id="reserved"),
    pytest.param("255.255.255.255", id="broadcast"),
    pytest.param("::1", id="loopback of IPv6"),
    pytest.param("::", id="no address"),
    pytest.param("fe80::1", id="link-local"),
    pytest.param("fe80::1%eth0", id="link-local with a scope"),
    pytest.param("fec0::1", id="site-local, which Python calls global"),
    pytest.param("fd00:ec2::254", id="metadata by IPv6"),
    pytest.param("ff02::1", id="multicast of IPv6"),
    pytest.param("ff0e::1", id="global multicast of IPv6"),
    pytest.param("2001:db8::1", id="documentation of IPv6"),
    pytest.param("3fff::1", id="newer documentation of IPv6, which Python calls global before 3.14"),
    pytest.param("4000::1", id="never given out"),
    pytest.param("::127.0.0.1", id="an IPv4 address in the old way"),
    pytest.param("::ffff:127.0.0.1", id="loopback as IPv6"),
    pytest.param("::ffff:169.254.169.254", id="metadata as IPv6"),
    pytest.param("::ffff:0:127.0.0.1", id="loopback, translated"),
    pytest.param("2002:7f00:1::1", id="6to4 of loopback"),
    pytest.param("2002:a01:203::1", id="6to4 of a private network"),
    pytest.param("64:ff9b::7f00:1", id="NAT64 of loopback"),
    pytest.param("64:ff9b::a9fe:a9fe", id="NAT64 of metadata"),
    pytest.param("64:ff9b:1::5db8:d70e", id="NAT64 of a network of one's own"),
    pytest.param("2001:0:5db8:d70e:0:0:80ff:fffe", id="Teredo to loopback"),
    pytest.param("2001:0:7f00:1:0:0:a247:28f1", id="Teredo by way of loopback"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_other_address_is_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"])
def test_a_name_with_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(FetchFailed, match=r"login\.test has the address") as caught:
        addresses_of(address)

    assert caught.value.kind is FailureKind.NOT_PUBLIC


@pytest.mark.parametrize("found", [(PUBLIC, "10.0.0.1"), ("10.0.0.1", PUBLIC), (PUBLIC_V6, PUBLIC, "::1")])
def test_one_private_address_among_public_ones_is_one_too_many(found: tuple[str, ...]) -> None:
    with pytest.raises(FetchFailed) as caught:
        addresses_of(*found)

    assert caught.value.kind is FailureKind.NOT_PUBLIC


def test_the_addresses_come_in_the_resolvers_order_each_once() -> None:
    assert addresses_of(PUBLIC, PUBLIC_V6, PUBLIC) == (PUBLIC, PUBLIC_V6)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("fd00::1", "fd00::/8"),
        pytest.param("::ffff:10.1.2.3", "10.0.0.0/8", id="as IPv6"),
        pytest.param("64:ff9b::a01:203", "10.0.0.0/8", id="by NAT64"),
        pytest.param("64:ff9b::a01:203", "64:ff9b::/96", id="the network of NAT64"),
        pytest.param("2001:0:a01:203:0:0:f5fe:fdfc", "10.0.0.0/8", id="Teredo between both"),
    ],
)
def test_an_address_in_a_network_of_the_operators_is_accepted(address: str, network: str) -> None:
    other = ip_network("192.168.0.0/16")

    assert addresses_of(address, accepted=(other, ip_network(network))) == (str(ip_address(address)),)


@pytest.mark.parametrize(
    "address",
    [
        "10.128.0.1",
        "::ffff:10.128.0.1",
        "127.0.0.1",
        pytest.param("2001:0:a01:203:0:0:5601:5600", id="Teredo with one end elsewhere"),
        pytest.param("fd00::1", id="not public, and no IPv4"),
    ],
)
def test_an_address_beside_that_network_is_not(address: str) -> None:
    with pytest.raises(FetchFailed):
        addresses_of(address, accepted=(ip_network("10.0.0.0/9"),))


def test_public_and_accepted_addresses_go_together() -> None:
    assert addresses_of(PUBLIC, "10.1.2.3", accepted=(ip_network("10.0.0.0/8"),)) == (PUBLIC, "10.1.2.3")


def test_a_name_that_does_not_exist_is_unresolvable() -> None:
    def resolver(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert kind_of_failure(resolver) is FailureKind.UNRESOLVABLE


def test_a_name_without_an_address_is_unresolvable() -> None:
    assert kind_of_failure(lambda *_, **__: []) is FailureKind.UNRESOLVABLE


def test_a_name_that_cannot_be_one_is_unresolvable() -> None:
    """Python's own resolver says so by another error than that of a name that does not exist."""
    location = Location("a" * 64 + ".test", 443, "/")
    with pytest.raises(FetchFailed) as caught:
        resolve(location, accepted=(), resolver=socket.getaddrinfo, deadline=Deadline(5))

    assert caught.value.kind is FailureKind.UNRESOLVABLE


def test_a_resolver_that_does_not_answer_is_not_waited_for_beyond_the_deadline() -> None:
    released = threading.Event()

    def resolver(*_: object, **__: object) -> list[Any]:
        released.wait(5)
        return []

    assert kind_of_failure(resolver, seconds=0.05) is FailureKind.TIMEOUT
    (still_waiting,) = [thread for thread in threading.enumerate() if thread.name == "resolver"]
    assert still_waiting.daemon, "nor when the process ends"
    released.set()
    still_waiting.join()


def test_the_resolver_is_asked_for_addresses_to_connect_to() -> None:
    """Without the kind of socket, each address would come three times, and for kinds that nobody connects by."""
    asked = []

    def resolver(*place: object, **options: object) -> list[Any]:
        asked.append((place, options))
        return AResolver(PUBLIC)("login.test", 8443)

    resolve(Location("login.test", 8443, "/"), accepted=(), resolver=resolver, deadline=Deadline(5))

    assert asked == [(("login.test", 8443), {"type": socket.SOCK_STREAM})]


def test_an_address_in_a_url_is_judged_as_well() -> None:
    location = locate("https://127.0.0.1/")
    with pytest.raises(FetchFailed) as caught:
        resolve(location, accepted=(), resolver=socket.getaddrinfo, deadline=Deadline(5))

    assert caught.value.kind is FailureKind.NOT_PUBLIC


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
def test_an_address_written_as_nobody_writes_it_is_judged_as_what_it_is(host: str) -> None:
    with pytest.raises(FetchFailed) as caught:
        resolve(locate(f"https://{host}/"), accepted=(), resolver=socket.getaddrinfo, deadline=Deadline(5))

    assert caught.value.kind is FailureKind.NOT_PUBLIC
