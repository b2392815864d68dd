"""Phones behind a NAT: their messages say where they think they are, and they are where those come from."""

import uuid

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import Udp, answer_to, tcp, udp
from tests.e2e.sip.dialogs import Dialog, begun_by, next_request
from tests.e2e.sip.issuing import Desk
from tests.e2e.sip.messages import Request
from tests.e2e.sip.stand import bearer

INNER = "192.168.1.7:5060"
"""What a phone knows of itself, without a port of its own that we could reach."""


def from_inside(request: Request) -> bytes:
    """Write a request as a phone does that knows of no NAT, and of no `rport`."""
    outer = f"127.0.0.1:{request.port}".encode()
    return bytes(request).replace(b";rport\r\n", b"\r\n").replace(outer, INNER.encode())


def test_the_answer_goes_to_where_the_request_came_from(kamailio: Kamailio) -> None:
    """RFC 3581, also for those who do not ask for it."""
    with udp(kamailio.udp) as phone:
        request = Request(over="UDP", port=phone.port, contact=phone.port, call=str(uuid.uuid4()))

        assert answer_to(phone, from_inside(request), seconds=2).status == 401


def a_call_to_inside(kamailio: Kamailio, desk: Desk, one: Udp, other: Udp) -> Dialog:
    caller, called = desk.user("caller"), desk.user("called")
    registration = Request(
        user=called.name,
        over="UDP",
        port=other.port,
        contact=other.port,
        call=str(uuid.uuid4()),
        more=[bearer(desk.token(called))],
    )
    assert answer_to(other, from_inside(registration)).status == 200
    contacts = (f"sip:{caller.name}@{INNER}", f"sip:{called.name}@{INNER}")
    return begun_by(one, caller, desk.token(caller), other, called, contacts=contacts)


def test_a_phone_is_called_where_it_registered_from(kamailio: Kamailio, desk: Desk) -> None:
    """And the caller's Contact is of no use to it: it gets one with an alias, by which the call can be ended."""
    with udp(kamailio.udp) as one, udp(kamailio.udp) as other:
        dialog = a_call_to_inside(kamailio, desk, one, other)
        other.send(bytes(dialog.from_the_called("BYE", 7)))
        ended = next_request(one)

    assert dialog.answer.status == 200
    assert ended.method == "BYE"
    assert f";alias=127.0.0.1~{one.port}~1" in dialog.invite.one("contact")


@pytest.mark.parametrize("contact", ["<sip:", "sip", "<mailto:alice@example.com", "*"], ids=repr)
def test_a_contact_that_is_none_is_not_passed_on(kamailio: Kamailio, desk: Desk, contact: str) -> None:
    """Nobody could answer into the call, and where it led would be the caller's choice."""
    user = desk.user()
    more = [f"Contact: {contact}", bearer(desk.token(user))]
    request = Request(method="INVITE", contact=0, user=user.name, to_uri=user.uri, call=str(uuid.uuid4()), more=more)
    with tcp(kamailio.tcp) as phone:
        assert answer_to(phone, bytes(request)).status == 400


PARTS = {
    "another method in CSeq": ("CSeq: 1 REGISTER", "CSeq: 1 INVITE"),
    "a body shorter than it says": ("Content-Length: 0", "Content-Length: 1000"),
    "an Expires that is no number": ("Content-Length: 0", "Expires: soon\r\nContent-Length: 0"),
}


@pytest.mark.parametrize(("part", "instead"), PARTS.values(), ids=PARTS)
def test_what_contradicts_itself_is_refused(kamailio: Kamailio, part: str, instead: str) -> None:
    """Or two servers on the way could read two things in it. It is not even challenged."""
    with udp(kamailio.udp) as phone:
        request = bytes(Request(over="UDP", port=phone.port, call=str(uuid.uuid4())))
        assert part.encode() in request
        phone.send(request.replace(part.encode(), instead.encode()))

        assert phone.receive().status == 400
