"""TRUSTED_PEERS: servers of ours, which call without a token, and nothing more than that."""

import uuid
from collections.abc import Iterator

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import Client, Udp, answer_to, final_answer, udp, websocket
from tests.e2e.sip.issuing import DOMAIN, Desk, User
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Message, Request, reply_to
from tests.e2e.sip.stand import OUR_PAGE, Phones, proxy

FLOOD = 10
TRUNK = f"<sip:+4930123456@{DOMAIN}>"


@pytest.fixture(name="trusting", scope="module")
def _trusting(line: Line, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    """A Kamailio to which this machine is a server of ours."""
    with proxy(tmp_path_factory.mktemp("trusting"), line.url, desk, TRUSTED_PEERS="192.0.2.1,127.0.0.1") as kamailio:
        yield kamailio


def a_request(client: Client, user: User, method: str, *more: str) -> Request:
    """Return a request without a token that says it is from a user."""
    return Request(
        method=method,
        over=client.over,
        port=client.port,
        contact=client.port,
        user=user.name,
        to_uri=user.uri,
        call=str(uuid.uuid4()),
        more=more,
    )


def invited(one: Udp, other: Udp, user: User, *more: str) -> tuple[Message, Message]:
    """Have *one* call a registered user at *other*; return the INVITE there, and the answer here."""
    call = a_request(one, user, "INVITE", *more)
    one.send(bytes(call))
    arrived = other.receive()
    other.send(reply_to(arrived, 200, contact=other.port))
    return arrived, final_answer(one, call.call)


def test_a_server_of_ours_calls_without_a_token_and_says_who_calls(
    trusting: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    user = desk.user()
    with udp(trusting.udp) as one, udp(trusting.udp) as other:
        assert phones.register(trusting, user, desk.token(user), contact_port=other.port).status == 200
        before = len(line.asked)
        arrived, answer = invited(one, other, user, f"P-Asserted-Identity: {TRUNK}")

    assert answer.status == 200
    assert arrived.one("p-asserted-identity") == TRUNK
    assert len(line.asked) == before


def test_nobody_else_does(kamailio: Kamailio, desk: Desk) -> None:
    with udp(kamailio.udp) as client:
        assert answer_to(client, bytes(a_request(client, desk.user(), "INVITE"))).status == 407


def test_a_server_of_ours_registers_nobody_without_a_token(trusting: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()

    assert phones.register(trusting, user).status == 401
    assert user.name not in trusting.ask("ul.dump")


@pytest.mark.parametrize(("method", "status"), [("INVITE", 407), ("MESSAGE", 407), ("REGISTER", 401)])
def test_a_browser_is_no_server_of_ours_whatever_its_address(
    trusting: Kamailio, desk: Desk, method: str, status: int
) -> None:
    """A proxy for WebSockets on a server of ours would make every page one."""
    with websocket(trusting.ws, origin=OUR_PAGE) as client:
        assert answer_to(client, bytes(a_request(client, desk.user(), method))).status == status


def test_a_server_of_ours_is_no_flood(line: Line, phones: Phones, desk: Desk) -> None:
    """It carries the calls of many."""
    asked = 20 * FLOOD

    with (
        proxy(phones.new_folder(), line.url, desk, TRUSTED_PEERS="127.0.0.1", FLOOD_DENSITY=FLOOD) as kamailio,
        udp(kamailio.udp) as peer,
    ):
        statuses = [
            answer_to(peer, bytes(Request(method="OPTIONS", over="UDP", uri=f"sip:{DOMAIN}", call=f"{n}"))).status
            for n in range(asked)
        ]

    assert statuses == [200] * asked
