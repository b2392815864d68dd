"""What is said within a call: clients show their token there as well, and nobody else may see it."""

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import tcp
from tests.e2e.sip.dialogs import begun_through, next_request
from tests.e2e.sip.issuing import Desk
from tests.e2e.sip.messages import reply_to
from tests.e2e.sip.stand import bearer, proxy_bearer

METHODS = ("ACK", "PRACK", "UPDATE", "INFO", "REFER", "NOTIFY", "OPTIONS", "INVITE", "BYE")


@pytest.mark.parametrize("side", ["the caller", "the called"])
def test_no_token_is_in_what_arrives(kamailio: Kamailio, desk: Desk, side: str) -> None:
    token = desk.token(desk.user())
    shown = (bearer(token), proxy_bearer(token), f"authorization : Bearer {token}", f"Authorization: bearer\t{token}")
    arrived = []

    with tcp(kamailio.tcp) as one, tcp(kamailio.tcp) as other:
        dialog = begun_through(one, other, desk)
        speaks, hears = (one, other) if side == "the caller" else (other, one)
        request = dialog.from_the_caller if side == "the caller" else dialog.from_the_called
        for sequence, method in enumerate(METHODS, start=1):
            speaks.send(bytes(request(method, sequence, *shown)))
            arrived.append(next_request(hears))
            if method != "ACK":
                hears.send(reply_to(arrived[-1], 200, contact=hears.port))

    assert [message.method for message in arrived] == list(METHODS)
    assert not any(message.all(name) for message in arrived for name in ("authorization", "proxy-authorization"))
    assert not any(part.encode() in message.raw for message in arrived for part in token.split("."))
