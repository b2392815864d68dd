"""What somebody tried, who wanted to be somebody else: each of these once worked, or nearly."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import Udp, answer_to, final_answer, tcp, udp
from tests.e2e.sip.dialogs import final_answers, next_request
from tests.e2e.sip.issuing import DOMAIN, Desk, User
from tests.e2e.sip.line import Line, Said
from tests.e2e.sip.messages import Request, reply_to
from tests.e2e.sip.stand import Phones, bearer, expires_of, proxy, proxy_bearer
from tests.e2e.sip.test_calls import SAYS_WHO_CALLS

A_MOMENT = 0.05
BOSS = f"sip:boss@{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Declined:
    """A call that the callee declined, and so has seen the mark of.

    Attributes:
        caller, called: who called whom.
        caller_phone, phone: of either.
        call: its Call-ID, which is the caller's tag as well.
        routes: header lines with the way back, mark and all.
        target: where the caller is reached.
    """

    caller: User
    called: User
    caller_phone: Udp
    phone: Udp
    call: str
    routes: list[str]
    target: str

    def request(self, method: str, *, sender: str | None = None, uri: str | None = None) -> bytes:
        """Write a request as of the callee, within the dialog that there is none of."""
        return bytes(
            Request(
                method=method,
                over="UDP",
                port=self.phone.port,
                contact=0,
                user=self.called.name,
                uri=uri or self.target,
                from_uri=sender,
                to_uri=self.caller.uri,
                to_tag=self.call,
                call=self.call,
                sequence=7,
                more=self.routes,
            )
        )


@contextmanager
def declined(kamailio: Kamailio, phones: Phones, desk: Desk) -> Iterator[Declined]:
    caller, called = desk.user("caller"), desk.user("called")
    with udp(kamailio.udp) as one, udp(kamailio.udp) as other:
        phones.register(kamailio, called, desk.token(called), contact_port=other.port)
        invite = Request(
            method="INVITE",
            over="UDP",
            port=one.port,
            contact=one.port,
            user=caller.name,
            to_uri=called.uri,
            call=str(uuid.uuid4()),
            more=[proxy_bearer(desk.token(caller))],
        )
        one.send(bytes(invite))
        arrived = other.receive()
        other.send(reply_to(arrived, 486, contact=other.port))
        final_answer(one, invite.call)
        routes = [f"Route: {route}" for route in arrived.all("record-route")]
        yield Declined(caller, called, one, other, invite.call, routes, arrived.one("contact").strip("<>"))


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "INFO", "REFER", "NOTIFY"])
def test_the_mark_of_a_call_lets_nobody_speak_as_somebody_else(
    kamailio: Kamailio, phones: Phones, desk: Desk, method: str
) -> None:
    with declined(kamailio, phones, desk) as call:
        answer = answer_to(call.phone, call.request(method, sender=BOSS))

    assert answer.status == 481


@pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE", "PUBLISH", "REGISTER"])
def test_the_mark_of_a_call_is_good_for_what_belongs_to_a_call(
    kamailio: Kamailio, phones: Phones, desk: Desk, method: str
) -> None:
    with declined(kamailio, phones, desk) as call:
        answer = answer_to(call.phone, call.request(method))

    assert answer.status == 481


def test_within_a_call_nobody_says_who_they_are_but_the_proxy(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    with declined(kamailio, phones, desk) as call:
        lies = (f"{name}: <{BOSS}>" for name in SAYS_WHO_CALLS)
        call.routes.extend(lies)
        call.phone.send(call.request("INFO"))
        while (arrived := call.caller_phone.receive()).status is not None:
            pass

    assert arrived.method == "INFO"
    assert b"boss" not in arrived.raw


def test_nor_does_it_let_them_speak_from_another_domain(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    with declined(kamailio, phones, desk) as call:
        answer = answer_to(call.phone, call.request("INFO", sender=f"sip:{call.called.name}@other.example"))

    assert answer.status == 481


@pytest.mark.parametrize("of", ["another call", "another tag", "another user", "a user of another domain", "itself"])
def test_the_mark_of_a_call_is_good_for_this_call_alone(
    kamailio: Kamailio, phones: Phones, desk: Desk, of: str
) -> None:
    """Or who was called once could call for ever, and others in the caller's place."""
    with declined(kamailio, phones, desk) as call:
        stolen = call.request("INFO")
        part, instead = {
            "another call": (f"Call-ID: {call.call}", "Call-ID: another"),
            "another tag": (f";tag={call.call}\r\nCall-ID", ";tag=another\r\nCall-ID"),
            "another user": (f"To: <{call.caller.uri}>", f"To: <{BOSS}>"),
            "a user of another domain": (f"To: <{call.caller.uri}>", f"To: <sip:{call.caller.name}@other.example>"),
            "itself": ("Max-Forwards: 70", "Max-Forwards: 69"),
        }[of]
        assert part.encode() in stolen
        call.phone.send(stolen.replace(part.encode(), instead.encode()))

        if of == "itself":
            assert next_request(call.caller_phone).method == "INFO"
        else:
            assert final_answers(call.phone) == [481]


@pytest.mark.parametrize("shared", [True, False], ids=["with the same key", "with keys of their own"])
def test_the_mark_of_a_call_is_good_at_another_proxy_only_with_the_same_key(
    line: Line, phones: Phones, desk: Desk, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """Nodes of a cluster share AUTH_JWT_DIALOG_KEY. Without it, the key is one that nobody can guess."""
    if shared:
        monkeypatch.setenv("AUTH_JWT_DIALOG_KEY", "a key of all nodes")
    with (
        proxy(phones.new_folder(), line.url, desk) as first,
        proxy(phones.new_folder(), line.url, desk) as second,
        declined(first, phones, desk) as call,
        udp(second.udp) as elsewhere,
    ):
        request = call.request("INFO", uri=f"sip:x@127.0.0.1:{elsewhere.port}")
        elsewhere.send(request.replace(f":{first.udp};".encode(), f":{second.udp};".encode()))

        if shared:
            assert next_request(elsewhere).method == "INFO"
        else:
            assert final_answers(elsewhere) == [481]


def test_who_came_over_a_connection_is_called_over_it_whatever_the_contact_says(kamailio: Kamailio, desk: Desk) -> None:
    """Or a user could have the proxy call a trunk that trusts it, as her own phone."""
    user, caller = desk.user(), desk.user("caller")
    with udp(kamailio.udp) as trunk, tcp(kamailio.tcp) as phone, udp(kamailio.udp) as other:
        contact = f"Contact: <sip:0900123@127.0.0.1:{trunk.port}>"
        more = [contact, bearer(desk.token(user))]
        request = Request(user=user.name, port=phone.port, contact=0, call=str(uuid.uuid4()), more=more)
        assert answer_to(phone, bytes(request)).status == 200
        message = Request(
            method="MESSAGE",
            over="UDP",
            port=other.port,
            contact=0,
            user=caller.name,
            to_uri=user.uri,
            call=str(uuid.uuid4()),
            more=[proxy_bearer(desk.token(caller))],
        )
        other.send(bytes(message))

        assert phone.receive().method == "MESSAGE"
        with pytest.raises(TimeoutError):
            trunk.receive(A_MOMENT)


def test_a_line_that_ends_for_some_readers_only_is_refused(kamailio: Kamailio, desk: Desk, line: Line) -> None:
    """Some read a carriage return alone as the end of a line, and so another header."""
    user, before = desk.user(), len(line.asked)
    more = [bearer(desk.token(user)), "X-A: 1\rX-Auth-Account: 7"]

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, bytes(Request(user=user.name, call=str(uuid.uuid4()), more=more)))

    assert answer.status == 400
    assert len(line.asked) == before


@pytest.mark.parametrize("call", ["a\tb", "a\x01b", "a\r\n 21(1) CRITICAL: <script>: forged line"], ids=repr)
def test_a_call_id_that_is_none_is_the_clients_fault_and_writes_no_line(
    kamailio: Kamailio, desk: Desk, call: str
) -> None:
    user = desk.user()

    with tcp(kamailio.tcp) as client:
        request = Request(user=user.name, call="CALL", more=[bearer(desk.token(user))])
        client.send(bytes(request).replace(b"Call-ID: CALL", f"Call-ID: {call}".encode()))
        answer = client.receive()

    assert answer.status == 400
    assert "forged line" not in kamailio.log.read_text("utf-8", "replace")


def test_a_credential_hides_nothing_that_the_proxy_knows(line: Line, phones: Phones, desk: Desk) -> None:
    user = desk.user()
    credentials = {"_left": "3600", "sip_username": "boss", "expires_at": "4070908800"}
    members = {"code": 1, "sip_username": user.name, "decoded_token": "{}.{}", "expires_at": int(time.time()) + 300}
    body = json.dumps({**members, "credentials": credentials}).encode()
    names = ",".join(credentials)

    with proxy(phones.new_folder(), line.url, desk, LOAD_CREDENTIALS=names) as kamailio, line.saying(Said(200, body)):
        answer = phones.register(kamailio, user, desk.token(user), expires=3600)

    assert answer.status == 200
    assert expires_of(answer) <= 300
