"""Where requests within a call may go: to the other phone, and nowhere that its sender would choose. No open relay."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import PATIENCE_SECONDS, Client, Stream, answer_to, final_answer, tcp, udp, websocket
from tests.e2e.sip.dialogs import CALLEES_TAG, Dialog, begun_through, final_answers, lose, next_request, registered
from tests.e2e.sip.issuing import DOMAIN, Desk
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Request, reply_to
from tests.e2e.sip.stand import OUR_PAGE, Phones, bearer, demand_programs, proxy, trusting

A_MOMENT = 0.05
BAD_ALIASES = (
    *("nonsense", "127.0.0.1", "127.0.0.1~5060", "~~", "127.0.0.1~5060~", "127.0.0.1~~2", "127.0.0.1~x~2", "a~b~2"),
    *("127.0.0.1~5060~0", "127.0.0.1~5060~9", "127.0.0.1~5060~22", "127.0.0.1~123456~2", "evil.example~5060~2"),
    *("127.0.0.1%7E5060%7E2", "127.0.0.1~5060~2~2", "127.0.0.1~5060~2@x", ""),
)
ELSEWHERE = {
    "an alias of TCP": "sip:x@127.0.0.1:9;alias=127.0.0.1~{port}~2",
    "an alias of TLS": "sip:x@127.0.0.1:9;alias=127.0.0.1~{port}~3",
    "an alias of a WebSocket": "sip:x@127.0.0.1:9;alias=127.0.0.1~{port}~5",
    "an address of TCP": "sip:x@127.0.0.1:{port};transport=tcp",
    "an address of TLS": "sips:x@127.0.0.1:{port}",
    "the domain": f"sip:x@{DOMAIN}",
    "a GRUU of nobody": f"sip:x@{DOMAIN};gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
}


@pytest.fixture(name="dialog")
def _dialog(kamailio: Kamailio, desk: Desk) -> Iterator[Dialog]:
    with tcp(kamailio.tcp) as one, tcp(kamailio.tcp) as other:
        dialog = begun_through(one, other, desk)
        one.send(bytes(dialog.from_the_caller("ACK", 1)))
        assert next_request(other).method == "ACK"
        yield dialog


def hears_nothing(client: Client) -> bool:
    try:
        client.receive(A_MOMENT)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("alias", BAD_ALIASES, ids=repr)
@pytest.mark.parametrize("method", ["INFO", "BYE", "INVITE"])
def test_an_alias_that_is_none_is_refused(dialog: Dialog, method: str, alias: str) -> None:
    request = replace(dialog.from_the_called(method, 7), uri=f"sip:x@127.0.0.1:9;alias={alias}")

    dialog.other.send(bytes(request))

    assert final_answers(dialog.other, seconds=A_MOMENT) == [400]
    assert hears_nothing(dialog.one)


@pytest.mark.parametrize("uri", ELSEWHERE.values(), ids=ELSEWHERE)
def test_no_connection_is_opened_to_where_somebody_wants(dialog: Dialog, uri: str) -> None:
    """Or whoever is in a call could speak to any port that the proxy can reach."""
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(4 * A_MOMENT)
        uri = uri.format(port=inner.getsockname()[1])
        dialog.other.send(bytes(replace(dialog.from_the_called("INFO", 7), uri=uri)))

        assert final_answers(dialog.other, seconds=A_MOMENT) == [430]
        with pytest.raises(TimeoutError):
            inner.accept()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_route_beyond_the_proxy_is_not_taken(kamailio: Kamailio, dialog: Dialog, transport: str) -> None:
    with udp(kamailio.udp) as target, socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(4 * A_MOMENT)
        port = target.port if transport == "udp" else inner.getsockname()[1]
        beyond = f"Route: <sip:127.0.0.1:{port};transport={transport};lr>"
        dialog.other.send(bytes(dialog.from_the_called("INFO", 7, beyond)))

        assert final_answers(dialog.other, seconds=A_MOMENT) == [403]
        assert hears_nothing(target)
        with pytest.raises(TimeoutError):
            inner.accept()


@pytest.mark.parametrize("joined", [True, False], ids=["in one header", "in two"])
def test_a_route_before_the_proxys_own_is_not_taken(kamailio: Kamailio, dialog: Dialog, joined: bool) -> None:
    """The mark is in the second: this request is not on its way to us."""
    with udp(kamailio.udp) as target:
        request = dialog.from_the_called("INFO", 7)
        (own,) = (line.partition(": ")[2] for line in request.more)
        first = f"<sip:127.0.0.1:{target.port};lr>"
        routes = [f"Route: {first}, {own}"] if joined else [f"Route: {first}", f"Route: {own}"]
        dialog.other.send(bytes(replace(request, more=routes)))

        assert final_answers(dialog.other, seconds=A_MOMENT) == [481]
        assert hears_nothing(target)
        assert hears_nothing(dialog.one)


@pytest.mark.parametrize("uri", ["sip:x@127.0.0.1:{port}", "sip:x@127.0.0.1:9;alias=127.0.0.1~{port}~1"])
@pytest.mark.parametrize("beside", [False, True], ids=["anywhere", "at the port of a phone's connection"])
def test_no_datagram_is_sent_to_where_somebody_wants(
    line: Line, phones: Phones, desk: Desk, uri: str, beside: bool
) -> None:
    """As it is shipped. In the lab, phones speak UDP."""
    demand_programs("haproxy")
    with (
        proxy(phones.new_folder(), line.url, desk, WITH_LAB=False, WITH_HAPROXY=True) as kamailio,
        ExitStack() as open_ones,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inner,
    ):
        inner.settimeout(4 * A_MOMENT)
        ways = [websocket(kamailio.wss, origin=OUR_PAGE, trusted=trusting(kamailio.ca), name=DOMAIN) for _ in range(2)]
        one, other = (open_ones.enter_context(way) for way in ways)
        inner.bind(("127.0.0.1", one.port if beside else 0))
        dialog = begun_through(one, other, desk)
        uri = uri.format(port=inner.getsockname()[1])
        other.send(bytes(replace(dialog.from_the_called("INFO", 7), uri=uri)))

        assert final_answers(other, seconds=A_MOMENT) == [430]
        with pytest.raises(TimeoutError):
            inner.recv(65536)
        other.send(bytes(dialog.from_the_called("BYE", 8)))
        assert next_request(one).method == "BYE"


def test_nothing_goes_over_the_connection_of_a_server_of_ours(line: Line, phones: Phones, desk: Desk) -> None:
    """It may take what comes over it for the proxy's own word."""
    with (
        proxy(phones.new_folder(), line.url, desk, TRUSTED_PEERS="127.0.0.1") as kamailio,
        websocket(kamailio.ws, origin=OUR_PAGE) as one,
        websocket(kamailio.ws, origin=OUR_PAGE) as other,
        tcp(kamailio.tcp) as trunk,
    ):
        is_there = Request(method="OPTIONS", uri=f"sip:{DOMAIN}", call="is-there")
        assert answer_to(trunk, bytes(is_there)).status == 200
        dialog = begun_through(one, other, desk)
        for uri in (
            f"sip:x@127.0.0.1:9;alias=127.0.0.1~{trunk.port}~2",
            f"sip:x@127.0.0.1:{trunk.port};transport=tcp",
        ):
            other.send(bytes(replace(dialog.from_the_called("INFO", 7), uri=uri)))
            assert final_answers(other, seconds=A_MOMENT) == [430]
        assert hears_nothing(trunk)
        other.send(bytes(dialog.from_the_called("BYE", 8)))
        assert next_request(one).method == "BYE"


# --- Calls in which a server has part ---------------------------------------------------------------------------------


def test_a_server_whose_connection_ended_is_told_the_end_of_the_call(line: Line, phones: Phones, desk: Desk) -> None:
    """Connections without traffic end within a minute, calls do not. To a server, another one is opened."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_SECONDS)
        port = server.getsockname()[1]
        hooks = f"""
route[ON_ACCEPTED] {{ return; }}
route[IN_DIALOG] {{ return; }}
route[OUTWARD] {{
	$du = "sip:127.0.0.1:{port};transport=tcp";
	route(RELAY);
}}
"""
        with proxy(phones.new_folder(), line.url, desk, hooks=hooks) as kamailio, tcp(kamailio.tcp) as phone:
            caller = desk.user("caller")
            to = f"sip:+4930123456@{DOMAIN}"
            begun = Request(method="INVITE", user=caller.name, to_uri=to, port=phone.port, call=f"out-{port}")
            phone.send(bytes(replace(begun, more=[bearer(desk.token(caller))])))
            with server.accept()[0] as connection:
                trunk = Stream(connection, "TCP")
                invite = next_request(trunk)
                trunk.send(reply_to(invite, 200, contact=port, tag=CALLEES_TAG))
                dialog = Dialog(phone, trunk, begun, invite, final_answer(phone, begun.call))
                lose(kamailio, trunk)
            phone.send(bytes(dialog.from_the_caller("BYE", 2)))
            with server.accept()[0] as connection:
                ended = next_request(Stream(connection, "TCP"))

    assert ended.method == "BYE"
    assert f"alias=127.0.0.1~{port}~2" in dialog.answer.one("contact")


def test_a_server_of_ours_may_be_behind_another_proxy(line: Line, phones: Phones, desk: Desk, tmp_path: Path) -> None:
    """It is in the route of the call that it began, and so in that of whoever answers."""
    user = desk.user()
    with (
        proxy(tmp_path / "kamailio", line.url, desk, TRUSTED_PEERS="127.0.0.1") as kamailio,
        udp(kamailio.udp) as peer,
        udp(kamailio.udp) as between,
        tcp(kamailio.tcp) as phone,
    ):
        assert registered(phone, user, desk.token(user))
        begun = Request(
            method="INVITE",
            user="trunk",
            over="UDP",
            port=peer.port,
            contact=peer.port,
            to_uri=user.uri,
            call=f"in-{peer.port}",
            more=[f"Record-Route: <sip:127.0.0.1:{between.port};lr>"],
        )
        peer.send(bytes(begun))
        invite = next_request(phone)
        phone.send(reply_to(invite, 200, contact=phone.port, tag=CALLEES_TAG))
        dialog = Dialog(peer, phone, begun, invite, final_answer(peer, begun.call))
        phone.send(bytes(dialog.from_the_called("BYE", 7)))
        ended = next_request(between)

    assert ended.method == "BYE"
