"""Attended transfer: who is transferred calls the phone that the other call is at, which may be told by its address."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import Client, answer_to, tcp, websocket
from tests.e2e.sip.dialogs import Dialog, begun_by, final_answers, next_request, registered
from tests.e2e.sip.issuing import Desk, User
from tests.e2e.sip.messages import Request, reply_to
from tests.e2e.sip.stand import OUR_PAGE, bearer, proxy_bearer

WAYS: dict[str, Callable[[Kamailio], AbstractContextManager[Client]]] = {
    "TCP": lambda kamailio: tcp(kamailio.tcp),
    "a WebSocket": lambda kamailio: websocket(kamailio.ws, origin=OUR_PAGE),
}
LEADS_NOWHERE = "sip:carol@192.0.2.1:5060"
"""A phone's own idea of its address, behind a NAT."""


@dataclass
class Transfer:
    """Carol's phone was called by Alice, who now transfers Bob to it, by the Contact that she got.

    Attributes:
        bob: his connection.
        user, token: who he is.
        carol: her connection.
        call: of Alice with Carol.
    """

    bob: Client
    user: User
    token: str
    carol: Client
    carols: User
    call: Dialog

    @property
    def target(self) -> str:
        """Where Bob is sent (RFC 3515, Refer-To)."""
        return self.call.answer.one("contact").strip("<>")

    def request(self, uri: str, *more: str) -> Request:
        """Return what Bob sends, replacing Alice in her call with Carol (RFC 3891)."""
        call = self.call.begun.call
        return Request(
            method="INVITE",
            over=self.bob.over,
            port=self.bob.port,
            user=self.user.name,
            uri=uri,
            to_uri=uri.partition(";")[0],
            call=str(uuid.uuid4()),
            more=[f"Replaces: {call};to-tag=callee;from-tag={call}", *more],
        )


@pytest.fixture(name="transfer", params=WAYS)
def _transfer(kamailio: Kamailio, desk: Desk, request: pytest.FixtureRequest) -> Iterator[Transfer]:
    way = WAYS[request.param]
    alice, bob, carol = (desk.user(name) for name in ("alice", "bob", "carol"))
    with way(kamailio) as alices, way(kamailio) as bobs, way(kamailio) as carols:
        assert registered(carols, carol, desk.token(carol))
        contacts = (LEADS_NOWHERE, LEADS_NOWHERE)
        call = begun_by(alices, alice, desk.token(alice), carols, carol, contacts=contacts)
        alices.send(bytes(call.from_the_caller("ACK", 1)))
        assert next_request(carols).method == "ACK"
        yield Transfer(bobs, bob, desk.token(bob), carols, carol, call)


def test_a_phone_without_a_gruu_is_reached_by_the_contact_that_it_gave(transfer: Transfer) -> None:
    request = transfer.request(transfer.target, proxy_bearer(transfer.token))

    transfer.bob.send(bytes(request))
    arrived = next_request(transfer.carol)
    transfer.carol.send(reply_to(arrived, 200, contact=5060))

    assert ";alias=" in transfer.target
    assert (arrived.method, arrived.one("replaces")) == ("INVITE", request.more[0].partition(": ")[2])
    assert final_answers(transfer.bob) == [200]


def test_so_is_one_whose_contact_is_where_it_speaks_from(transfer: Transfer) -> None:
    """Without a NAT there is no alias."""
    carol = transfer.carol
    uri = f"sip:x@127.0.0.1:{carol.port};transport={carol.over.lower()}"

    transfer.bob.send(bytes(transfer.request(uri, proxy_bearer(transfer.token))))

    assert next_request(carol).method == "INVITE"


def test_it_wants_a_token_as_any_call_does(transfer: Transfer) -> None:
    answer = answer_to(transfer.bob, bytes(transfer.request(transfer.target)))

    assert answer.status == 407


def test_nobody_is_called_by_the_address_of_a_connection(transfer: Transfer) -> None:
    """Only a user is: Alice's phone is connected and not registered. So would a trunk be."""
    alice = transfer.call.one
    digit = {"TCP": 2, "WS": 5}[alice.over]
    for uri in (
        f"{LEADS_NOWHERE};alias=127.0.0.1~{alice.port}~{digit}",
        f"sip:x@127.0.0.1:{alice.port};transport={alice.over.lower()}",
        f"{LEADS_NOWHERE};alias=nonsense",
        LEADS_NOWHERE,
    ):
        request = transfer.request(uri, proxy_bearer(transfer.token))
        assert answer_to(transfer.bob, bytes(request)).status == 403
    with pytest.raises(TimeoutError):
        alice.receive(0.05)


def test_by_an_address_there_are_calls_and_nothing_else(transfer: Transfer) -> None:
    request = replace(transfer.request(transfer.target, proxy_bearer(transfer.token)), method="MESSAGE")

    assert answer_to(transfer.bob, bytes(request)).status == 403


def test_a_phone_that_is_registered_no_more_is_not_called(kamailio: Kamailio, transfer: Transfer, desk: Desk) -> None:
    """Nor another one of its user's: the address may have become anybody's."""
    carol = transfer.carol
    more = ["Contact: *", "Expires: 0", bearer(desk.token(transfer.carols))]
    gone = Request(user=transfer.carols.name, over=carol.over, contact=0, call=str(uuid.uuid4()), more=more)
    assert answer_to(carol, bytes(gone)).status == 200

    with tcp(kamailio.tcp) as another:
        assert registered(another, transfer.carols, desk.token(transfer.carols))

        answer = answer_to(transfer.bob, bytes(transfer.request(transfer.target, proxy_bearer(transfer.token))))

    assert answer.status == 403
