"""Calls: who may make them, and what the callee gets to see, which is no token."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip import sipp
from tests.e2e.sip.clients import Client, answer_to, final_answer, tcp, udp
from tests.e2e.sip.issuing import DOMAIN, Desk, User, exp_of
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Message, Request, reply_to
from tests.e2e.sip.sipp import Callee
from tests.e2e.sip.stand import Phones, bearer, proxy, proxy_bearer

ANONYMOUS = "sip:anonymous@anonymous.invalid"
A_MOMENT = 0.05
"""What is relayed is sent before the next request of the same connection is read."""
TOKENS_HEADERS = ("authorization", "proxy-authorization")
SAYS_WHO_CALLS = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "p-asserted-identity ")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two users: who calls, with a token, and who is called and registered."""

    caller: User
    token: str
    callee: User
    phone: Callee


@contextmanager
def ringing(kamailio: Kamailio, phones: Phones, desk: Desk, scenario: str = "callee") -> Iterator[Pair]:
    """Register a user with a phone of SIPp that takes one call; it has been taken when the context ends."""
    caller, called = desk.user("caller"), desk.user("called")
    with sipp.callee(phones.new_folder(), scenario) as phone:
        assert phones.register(kamailio, called, desk.token(called), contact_port=phone.port).status == 200
        yield Pair(caller, desk.token(caller), called, phone)


def call(kamailio: Kamailio, phones: Phones, pair: Pair, scenario: str, header: str) -> sipp.Run:
    """Have the caller's phone make the call."""
    keys = {"user": pair.caller.name, "callee": pair.callee.name, "domain": DOMAIN}
    return sipp.run(phones.new_folder(), scenario, kamailio.udp, headers=[header], **keys)


def holds_no_token(pair: Pair) -> bool:
    """Whether the callee saw nothing of the token, in whatever header."""
    parts = pair.token.split(".")
    return not any(
        message.all(name) or any(part.encode() in message.raw for part in parts)
        for message in pair.phone.run.received
        for name in TOKENS_HEADERS
    )


def in_order_of_arrival(pair: Pair) -> list[str]:
    """Return what the callee was asked for; by UDP any of it may be sent again."""
    return list(dict.fromkeys(message.method for message in pair.phone.run.received))


def is_challenge(answer: Message) -> bool:
    """Whether a proxy asks for a bearer token."""
    return answer.status == 407 and answer.one("proxy-authenticate").startswith(f'Bearer realm="{DOMAIN}"')


@pytest.fixture(name="client")
def _client(kamailio: Kamailio) -> Iterator[Client]:
    with tcp(kamailio.tcp) as client:
        yield client


# --- Calls that are made ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", [proxy_bearer, bearer], ids=["Proxy-Authorization", "Authorization"])
def test_a_call_is_challenged_made_and_ended_and_the_callee_sees_no_token(
    kamailio: Kamailio, phones: Phones, desk: Desk, show: Callable[[str], str]
) -> None:
    """The caller sends the token with INVITE, ACK and BYE, as clients do. JsSIP knows the second header only."""
    with ringing(kamailio, phones, desk) as pair:
        run = call(kamailio, phones, pair, "call", show(pair.token))

    (challenge,) = (message for message in run.received if message.status == 407)
    assert is_challenge(challenge)
    assert "error=" not in challenge.one("proxy-authenticate")
    assert in_order_of_arrival(pair) == ["INVITE", "ACK", "BYE"]
    assert holds_no_token(pair)


def test_a_call_given_up_is_cancelled_without_a_token(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    with ringing(kamailio, phones, desk, "callee_cancelled") as pair:
        run = call(kamailio, phones, pair, "cancelled", proxy_bearer(pair.token))

    assert in_order_of_arrival(pair) == ["INVITE", "CANCEL", "ACK"]
    assert not any(message.status in (401, 407) for message in run.received)
    assert holds_no_token(pair)


def test_the_callee_may_end_the_call_and_needs_no_token(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
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
        other.send(reply_to(arrived, 200, contact=other.port))
        answer = final_answer(one, invite.call)
        bye = Request(
            method="BYE",
            over="UDP",
            port=other.port,
            contact=0,
            user=called.name,
            uri=arrived.one("contact").strip("<>"),
            to_uri=caller.uri,
            to_tag=invite.call,
            call=invite.call,
            sequence=7,
            more=[f"Route: {route}" for route in arrived.all("record-route")],
        )
        other.send(bytes(bye))
        ended = one.receive()
        while ended.status is not None:
            ended = one.receive()

    assert answer.status == 200
    assert ended.method == "BYE"


def test_a_message_arrives_without_its_token(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    caller, called = desk.user("caller"), desk.user("called")
    token = desk.token(caller)
    with udp(kamailio.udp) as one, udp(kamailio.udp) as other:
        phones.register(kamailio, called, desk.token(called), contact_port=other.port)
        message = Request(
            method="MESSAGE",
            over="UDP",
            port=one.port,
            contact=0,
            user=caller.name,
            to_uri=called.uri,
            call=str(uuid.uuid4()),
            more=[bearer(token), proxy_bearer(token), "Content-Type: text/plain"],
            body="Hello",
        )
        one.send(bytes(message))
        arrived = other.receive()
        other.send(reply_to(arrived, 200, contact=other.port))
        answer = final_answer(one, message.call)

    assert answer.status == 200
    assert arrived.raw.endswith(b"\r\n\r\nHello")
    assert not any(part.encode() in arrived.raw for part in token.split("."))


def test_the_callee_is_told_who_calls_by_the_proxy_and_nobody_else(
    kamailio: Kamailio, phones: Phones, desk: Desk
) -> None:
    """However a caller forges it: RFC 3325's two headers, and the one that older servers believe."""
    with ringing(kamailio, phones, desk, "callee_cancelled") as pair:
        lies = (f"{name}: <sip:president@{DOMAIN}>" for name in SAYS_WHO_CALLS)
        call(kamailio, phones, pair, "cancelled", "\n".join([proxy_bearer(pair.token), *lies]))

    invite = pair.phone.run.received[0]
    assert invite.one("p-asserted-identity") == f"<{pair.caller.uri}>"
    assert b"president" not in invite.raw


def test_a_caller_who_wants_privacy_is_not_named_by_the_proxy(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    """RFC 3325, section 9.3: who asks for it by `Privacy: id` calls under a name, but none that we vouch for."""
    with ringing(kamailio, phones, desk, "callee_cancelled") as pair:
        call(kamailio, phones, pair, "cancelled", f"{proxy_bearer(pair.token)}\nPrivacy: id")

    assert pair.phone.run.received[0].all("p-asserted-identity") == []


def test_credentials_reach_the_routing(line: Line, phones: Phones, desk: Desk) -> None:
    """AVPs named as the service's LOAD_CREDENTIALS names them: here a hook shows them to the callee."""
    user = desk.user(display_name='Zoë "Z" Zimmer', account_id=2**63 - 1, video_allowed=False)
    shown = '"X-Name: $avp(caller_name)\\r\\nX-Account: $avp(account_id)\\r\\nX-Video: $avp(video_allowed)\\r\\n"'
    more = '"X-User: $avp(sip_username)\\r\\nX-Ends: $avp(expires_at)\\r\\n"'
    route = f"route[ON_ACCEPTED] {{\n\tappend_to_reply({shown});\n\tappend_to_reply({more});\n}}\n"
    token = desk.token(user)
    with proxy(
        phones.new_folder(),
        line.url,
        desk,
        hooks=f"{route}route[IN_DIALOG] {{ return; }}\nroute[OUTWARD] {{ exit; }}\n",
        LOAD_CREDENTIALS="caller_name,account_id,video_allowed",
    ) as kamailio:
        answer = phones.register(kamailio, user, token)

    assert answer.status == 200
    assert answer.one("x-user") == user.name
    assert answer.one("x-name") == 'Zoë "Z" Zimmer'
    assert answer.one("x-account") == str(2**63 - 1)
    assert answer.one("x-video") == "0"
    assert answer.one("x-ends") == str(exp_of(token))


def test_a_credential_that_kamailio_cannot_read_lets_nobody_in_and_is_in_no_log(
    kamailio: Kamailio, phones: Phones, desk: Desk
) -> None:
    """A number beyond 64 bits: see "Known limits" in Kamailio's README."""
    user = desk.user(display_name="Yusuf of the unreadable number", account_id=2**63)

    assert phones.register(kamailio, user, desk.token(user)).status == 503
    log = kamailio.log.read_text("utf-8", "replace")
    assert "Yusuf" not in log
    assert str(2**63) not in log


# --- Calls that are not -----------------------------------------------------------------------------------------------


def an_invite(desk: Desk, *, more: list[str] | None = None, **others: object) -> bytes:
    """Write an INVITE of a new user, with a good token if nothing else is said."""
    user = desk.user()
    headers = [proxy_bearer(desk.token(user))] if more is None else more
    fields = {"method": "INVITE", "user": user.name, "to_uri": f"sip:{user.name}@{DOMAIN}", **others}
    return bytes(Request(call=str(uuid.uuid4()), more=headers, **fields))  # type: ignore[arg-type]


def test_the_request_that_these_tests_vary_passes(client: Client, desk: Desk) -> None:
    """It gets as far as the callee's registration, which is missing."""
    assert answer_to(client, an_invite(desk)).status == 480


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS"])
def test_whatever_is_asked_of_another_user_wants_a_token(client: Client, desk: Desk, method: str) -> None:
    assert is_challenge(answer_to(client, an_invite(desk, method=method, more=[])))
    assert answer_to(client, an_invite(desk, method=method)).status == 480


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH", "NOTIFY", "INFO", "BYE", "UPDATE", "PRACK", "REFER", "NEW"])
def test_outside_a_call_other_methods_are_not_allowed(client: Client, desk: Desk, line: Line, method: str) -> None:
    """With a token or without: nobody is asked, and nothing is relayed."""
    before = len(line.asked)
    without_and_with: tuple[list[str] | None, ...] = ([], None)

    for more in without_and_with:
        answer = answer_to(client, an_invite(desk, method=method, more=more))
        assert answer.status == 405
        assert answer.one("allow") == "REGISTER, INVITE, ACK, CANCEL, BYE, MESSAGE, OPTIONS"
    assert len(line.asked) == before


@pytest.mark.parametrize("kind", ["expired", "forged"])
def test_a_call_with_a_refused_token_is_challenged_again(client: Client, desk: Desk, kind: str) -> None:
    token = desk.expired() if kind == "expired" else desk.forged("alice-web")

    answer = answer_to(client, an_invite(desk, more=[proxy_bearer(token)]))

    assert is_challenge(answer)
    assert 'error="invalid_token"' in answer.one("proxy-authenticate")


def test_a_call_in_which_nobody_is_named_goes_nowhere(client: Client, desk: Desk) -> None:
    assert answer_to(client, an_invite(desk, uri=f"sip:{DOMAIN}")).status == 404


def test_a_call_with_the_token_of_somebody_else_is_forbidden(client: Client, desk: Desk) -> None:
    other = desk.user()

    assert answer_to(client, an_invite(desk, more=[proxy_bearer(desk.token(other))])).status == 403


def test_a_caller_of_a_foreign_domain_is_forbidden(client: Client, desk: Desk, line: Line) -> None:
    before = len(line.asked)

    assert answer_to(client, an_invite(desk, from_uri="sip:alice@elsewhere.example")).status == 403
    assert len(line.asked) == before


def test_an_anonymous_caller_needs_a_token_too(client: Client, desk: Desk) -> None:
    """RFC 3323: the name is kept from the callee, and the token tells us alone."""
    challenged = answer_to(client, an_invite(desk, from_uri=ANONYMOUS, more=[]))
    known = answer_to(client, an_invite(desk, from_uri=ANONYMOUS))
    forged = answer_to(client, an_invite(desk, from_uri=ANONYMOUS, more=[proxy_bearer(desk.forged("alice-web"))]))

    assert is_challenge(challenged)
    assert known.status == 480
    assert is_challenge(forged)


@pytest.mark.parametrize("privacy", [[], ["Privacy: id"]], ids=["by its name alone", "by RFC 3323's header, too"])
def test_an_anonymous_caller_stays_so(kamailio: Kamailio, phones: Phones, desk: Desk, privacy: list[str]) -> None:
    with ringing(kamailio, phones, desk, "callee_cancelled") as pair, udp(kamailio.udp) as caller:
        invite = Request(
            method="INVITE",
            over="UDP",
            port=caller.port,
            contact=caller.port,
            user="anonymous",
            domain="anonymous.invalid",
            to_uri=pair.callee.uri,
            call=str(uuid.uuid4()),
            more=[proxy_bearer(pair.token), *privacy],
        )
        caller.send(bytes(invite))
        while caller.receive().status != 180:
            pass
        caller.send(bytes(replace(invite, method="CANCEL", more=())))
        ended = {final_answer(caller, invite.call).status for _ in range(2)}
        caller.send(bytes(replace(invite, method="ACK", more=())))

    assert ended == {200, 487}
    invite_there = pair.phone.run.received[0]
    assert invite_there.all("p-asserted-identity") == []
    assert pair.caller.name.encode() not in invite_there.raw


# --- Requests that are never challenged, and those that go nowhere ----------------------------------------------------


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_what_cannot_be_repeated_is_never_challenged(client: Client, desk: Desk, line: Line, method: str) -> None:
    """RFC 3261, section 22.1. Of no transaction we know, it ends here."""
    before = len(line.asked)
    client.send(an_invite(desk, method=method, more=[]))
    client.send(an_invite(desk, method=method, more=[bearer(desk.forged("alice-web"))]))

    answers = answers_until_the_next(client)

    assert not any(answer.status in (401, 407) for answer in answers)
    assert len(line.asked) == before


def answers_until_the_next(client: Client) -> list[Message]:
    """Send one request more, and return what is answered before it: a connection's requests are read in order."""
    last = Request(method="OPTIONS", uri=f"sip:{DOMAIN}", call=str(uuid.uuid4()))
    client.send(bytes(last))
    answers: list[Message] = []
    while (answer := client.receive()).one("call-id") != last.call:
        answers.append(answer)
    return answers


@pytest.mark.parametrize("method", ["INVITE", "BYE", "MESSAGE", "INFO", "UPDATE", "ACK", "CANCEL"])
@pytest.mark.parametrize("forged_mark", [False, True], ids=["no route of ours", "a route that looks like ours"])
def test_a_request_of_no_dialog_we_know_is_relayed_nowhere(
    kamailio: Kamailio, client: Client, desk: Desk, method: str, forged_mark: bool
) -> None:
    """Or whoever writes a tag into To could call through us without a token: no open relay."""
    with udp(kamailio.udp) as target:
        routes = [f"Route: <sip:127.0.0.1:{kamailio.tcp};transport=tcp;lr;call=0123456789abcdef>"] * forged_mark
        uri = f"sip:target@127.0.0.1:{target.port}"
        more = [*routes, proxy_bearer(desk.forged("alice-web"))]
        client.send(an_invite(desk, method=method, uri=uri, to_uri=uri, to_tag="known", more=more))
        answers = answers_until_the_next(client)

        with pytest.raises(TimeoutError):
            target.receive(A_MOMENT)

    assert [answer.status for answer in answers] == ([] if method in ("ACK", "CANCEL") else [481])


def test_a_good_token_is_no_ticket_to_other_servers(kamailio: Kamailio, client: Client, desk: Desk) -> None:
    with udp(kamailio.udp) as target:
        uri = f"sip:target@127.0.0.1:{target.port}"
        answer = answer_to(client, an_invite(desk, uri=uri, to_uri=uri))

        with pytest.raises(TimeoutError):
            target.receive(A_MOMENT)

    assert answer.status == 403


def test_a_route_that_the_caller_chose_is_not_taken(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    caller, called = desk.user("caller"), desk.user("called")
    with udp(kamailio.udp) as one, udp(kamailio.udp) as other, udp(kamailio.udp) as target:
        phones.register(kamailio, called, desk.token(called), contact_port=other.port)
        message = Request(
            method="MESSAGE",
            over="UDP",
            port=one.port,
            contact=0,
            user=caller.name,
            to_uri=called.uri,
            call=str(uuid.uuid4()),
            more=[f"Route: <sip:127.0.0.1:{target.port};lr>", proxy_bearer(desk.token(caller))],
        )
        one.send(bytes(message))
        arrived = other.receive()
        other.send(reply_to(arrived, 200, contact=other.port))
        final_answer(one, message.call)

        with pytest.raises(TimeoutError):
            target.receive(A_MOMENT)

    assert arrived.all("route") == []
