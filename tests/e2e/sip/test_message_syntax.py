"""However SIP lets a client write a request, it is read as what it is; and what it does not let write is refused."""

import json
import time
import uuid

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import answer_to, final_answer, tcp, udp
from tests.e2e.sip.dialogs import registered
from tests.e2e.sip.issuing import DOMAIN, Desk
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Request, reply_to
from tests.e2e.sip.stand import bearer, proxy_bearer

AS_LONG_AS_IS_LOGGED = 128
LONGEST_CALL_ID = 255

WHITE_SPACE = {
    "a fold": "Authorization: Bearer\r\n {token}",
    "a fold with a tab": "Authorization: Bearer\r\n\t{token}",
    "blanks around a fold": "Authorization: Bearer \t\r\n \t {token}",
    "a tab": "Authorization: Bearer\t{token}",
    "several blanks": "Authorization: Bearer    {token}",
    "blanks behind it": "Authorization: Bearer {token} \t ",
    "a fold behind it": "Authorization: Bearer {token}\r\n ",
    "a fold before it": "Authorization:\r\n Bearer {token}",
    "no blank before it": "Authorization:Bearer {token}",
    "a blank before the colon": "Authorization : Bearer {token}",
    "a tab before the colon": "Authorization\t: Bearer {token}",
}
"""RFC 3261, section 25.1: LWS, HCOLON."""
CALL_IDS = {
    "a quote": b'call"id',
    "a backslash": b"call\\id",
    "what looks like an escape of JSON": b"\\u0000\\n\\",
    "the end of a JSON text": b'x","from_user":"boss"}',
    "all that a word may hold": b"-.!%*_+`'~()<>:\\\"/[]?{}@call",
    "variables of Kamailio": b"$var(body)$ci{s.len}",
    "a form": b"a&from_user=boss",
}
NOT_CALL_IDS = {
    "a control character": b"call\x01id",
    "a NUL": b"call\x00id",
    "a NUL at its end": b"callid\x00",
    "DEL": b"call\x7fid",
    "UTF-8": "anrüf".encode(),
    "no UTF-8": b"call\xff\xfeid",
    "half a character": b"call\xc3",
    "a blank": b"call id",
    "one more than there may be": b"x" * (LONGEST_CALL_ID + 1),
}


def with_call_id(request: Request, call: bytes) -> bytes:
    """Write a request with another Call-ID, of whatever bytes; its branch and tags stay."""
    return bytes(request).replace(b"Call-ID: " + request.call.encode(), b"Call-ID: " + call)


# --- White space ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", WHITE_SPACE.values(), ids=WHITE_SPACE)
def test_a_registrar_reads_a_token_whatever_white_space_is_around_it(
    kamailio: Kamailio, desk: Desk, line: Line, header: str
) -> None:
    user = desk.user()
    token, before = desk.token(user), len(line.asked)

    with tcp(kamailio.tcp) as client:
        request = Request(call=str(uuid.uuid4()), user=user.name, more=[header.format(token=token), "X-Next: header"])
        answer = answer_to(client, bytes(request))

    assert answer.status == 200
    assert [asked.member("jwt_token") for asked in line.asked[before:]] == [token]


@pytest.mark.parametrize("header", WHITE_SPACE.values(), ids=WHITE_SPACE)
def test_a_proxy_reads_it_and_hands_on_nothing_of_it(kamailio: Kamailio, desk: Desk, header: str) -> None:
    caller, called = desk.user("caller"), desk.user("called")
    token = desk.token(caller)
    line = f"Proxy-{header}".format(token=token)

    with tcp(kamailio.tcp) as one, tcp(kamailio.tcp) as other:
        assert registered(other, called, desk.token(called))
        invite = Request(
            method="INVITE", user=caller.name, to_uri=called.uri, call=str(uuid.uuid4()), more=[line, "X-Next: header"]
        )
        one.send(bytes(invite))
        arrived = other.receive()
        other.send(reply_to(arrived, 486, contact=other.port))
        answer = final_answer(one, invite.call)

    assert answer.status == 486
    assert token.encode() not in arrived.raw
    assert b"earer" not in arrived.raw
    assert arrived.one("x-next") == "header"


@pytest.mark.parametrize("between", ["\v", "\f", "\u00a0", "\r\n\r\n "])
def test_other_blanks_are_none(kamailio: Kamailio, desk: Desk, line: Line, between: str) -> None:
    user = desk.user()
    request = Request(
        call=str(uuid.uuid4()), user=user.name, more=[f"Authorization: Bearer{between}{desk.token(user)}"]
    )
    before = len(line.asked)

    with tcp(kamailio.tcp) as client:
        assert answer_to(client, bytes(request)).status in (400, 401)
    assert len(line.asked) == before


# --- Call-IDs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALL_IDS.values(), ids=CALL_IDS)
def test_a_call_id_reaches_the_service_as_it_is(kamailio: Kamailio, desk: Desk, line: Line, call: bytes) -> None:
    user = desk.user()
    request = Request(call=str(uuid.uuid4()), user=user.name, more=[bearer(desk.token(user))])

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, with_call_id(request, call))

    asked = json.loads(line.asked[-1].body, object_pairs_hook=list)
    assert answer.status == 200
    assert [name for name, _ in asked] == ["jwt_token", "from_user", "call_id", "deferred_status"]
    assert dict(asked)["call_id"] == call.decode()


@pytest.mark.parametrize("size", [AS_LONG_AS_IS_LOGGED, AS_LONG_AS_IS_LOGGED + 1, LONGEST_CALL_ID])
def test_of_a_long_call_id_the_service_gets_what_it_logs(kamailio: Kamailio, desk: Desk, line: Line, size: int) -> None:
    user = desk.user()
    call = uuid.uuid4().hex.ljust(size, "x")
    request = Request(call=str(uuid.uuid4()), user=user.name, more=[bearer(desk.token(user))])

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, with_call_id(request, call.encode()))

    assert answer.status == 200
    assert line.asked[-1].member("call_id") == call[:AS_LONG_AS_IS_LOGGED]


@pytest.mark.parametrize("call", NOT_CALL_IDS.values(), ids=NOT_CALL_IDS)
def test_what_is_no_call_id_reaches_nobody(kamailio: Kamailio, desk: Desk, line: Line, call: bytes) -> None:
    user = desk.user()
    request = Request(call=str(uuid.uuid4()), user=user.name, more=[bearer(desk.token(user))])
    before = len(line.asked)

    with tcp(kamailio.tcp) as client:
        client.send(with_call_id(request, call))
        answer = client.receive()

    assert answer.status == 400
    assert len(line.asked) == before


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"X-A: a\rProxy-Authorization: b", id="a lone CR"),
        pytest.param(b"X-A: \x00\r\nX-B: a\rProxy-Authorization: b", id="a lone CR behind a NUL"),
        pytest.param(b"X-A: a\x00b", id="a NUL alone"),
    ],
)
def test_what_others_might_read_otherwise_is_refused(kamailio: Kamailio, desk: Desk, line: Line, header: bytes) -> None:
    """A check that ends at the first NUL, as those of C do, lets through what is behind it."""
    user = desk.user()
    request = bytes(Request(call=str(uuid.uuid4()), user=user.name, more=["X-Z: z", bearer(desk.token(user))]))
    before = len(line.asked)

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, request.replace(b"X-Z: z", header))

    assert answer.start == "SIP/2.0 400 Bad characters"
    assert len(line.asked) == before


def test_a_body_may_hold_any_bytes(kamailio: Kamailio, desk: Desk) -> None:
    caller, called = desk.user("caller"), desk.user("called")
    with tcp(kamailio.tcp) as one, tcp(kamailio.tcp) as other:
        assert registered(other, called, desk.token(called))
        message = Request(
            method="MESSAGE",
            user=caller.name,
            to_uri=called.uri,
            call=str(uuid.uuid4()),
            contact=0,
            more=["Content-Type: application/octet-stream", proxy_bearer(desk.token(caller))],
            body="a\0b",
        )
        one.send(bytes(message))
        arrived = other.receive()

    assert arrived.raw.endswith(b"\r\n\r\na\x00b")


# --- Names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["%C3%A4", "m%c3%bcller", "%E4", "a%01", "a%00b", "a%7F", "a%zz"])
@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_a_name_that_cannot_be_unescaped_is_told_so(
    kamailio: Kamailio, desk: Desk, line: Line, method: str, name: str
) -> None:
    """Kamailio's registrar unescapes printable ASCII alone; README.md and `auth-jwt lint` say so as well."""
    user = desk.user()
    request = Request(method=method, call=str(uuid.uuid4()), user=name, more=[bearer(desk.token(user))])
    before = len(line.asked)

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, bytes(request))

    assert answer.start in (
        "SIP/2.0 403 Only ASCII is unescaped in user names",
        "SIP/2.0 400 Invalid From Header",  # of sanity, what is no escape at all
    )
    assert len(line.asked) == before


def test_a_name_that_is_no_text_is_nobodys(kamailio: Kamailio, desk: Desk, line: Line) -> None:
    """JSON is UTF-8, and so is every username."""
    user = desk.user()
    request = bytes(Request(call=str(uuid.uuid4()), user="NAME", more=[bearer(desk.token(user))]))
    before = len(line.asked)

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, request.replace(b"NAME", b"m\xfcller"))

    assert answer.status == 403
    assert len(line.asked) == before


# --- Calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@pytest.mark.parametrize(
    ("uri", "answered"),
    [
        ("tel:+4930123456", "416 tel: is not called here, call sip:NUMBER@DOMAIN"),
        ("tel:0301234;phone-context=+49", "416 tel: is not called here, call sip:NUMBER@DOMAIN"),
        ("TEL:+4930123456", "416 tel: is not called here, call sip:NUMBER@DOMAIN"),
        ("urn:service:sos", "403 Calls to other domains are not allowed"),
        (f"sip:%C3%A4@{DOMAIN}", "480 Temporarily unavailable"),
    ],
)
def test_what_cannot_be_called_is_refused_and_is_no_error_of_ours(
    kamailio: Kamailio, desk: Desk, method: str, uri: str, answered: str
) -> None:
    caller = desk.user("caller")
    request = Request(
        method=method, call=str(uuid.uuid4()), user=caller.name, to_uri=uri, more=[bearer(desk.token(caller))]
    )
    logged = kamailio.log.stat().st_size

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, bytes(request))
    time.sleep(0.1)

    assert answer.start == f"SIP/2.0 {answered}"
    assert b"ERROR" not in kamailio.log.read_bytes()[logged:]


# --- What needs no token ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS", "BYE"])
def test_what_has_gone_round_too_often_goes_no_further(kamailio: Kamailio, desk: Desk, line: Line, method: str) -> None:
    user = desk.user()
    request = Request(method=method, call=str(uuid.uuid4()), user=user.name, more=[bearer(desk.token(user))])
    before = len(line.asked)

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, bytes(request).replace(b"Max-Forwards: 70", b"Max-Forwards: 0"))

    assert answer.start == "SIP/2.0 483 Too many hops"
    assert len(line.asked) == before


@pytest.mark.parametrize("domain", [DOMAIN, DOMAIN.upper()])
def test_options_keep_a_connection_alive_and_ask_nobody(kamailio: Kamailio, line: Line, domain: str) -> None:
    """Phones and balancers ask so, without a name in the Request-URI, and have no token."""
    before = len(line.asked)

    with udp(kamailio.udp) as client:
        request = Request(method="OPTIONS", over="UDP", port=client.port, call=str(uuid.uuid4()), uri=f"sip:{domain}")
        answer = answer_to(client, bytes(request))

    assert answer.start == "SIP/2.0 200 Keepalive"
    assert len(line.asked) == before


@pytest.mark.parametrize("uri", [f"sip:alice@{DOMAIN}", "sip:elsewhere.example"])
def test_other_options_want_a_token(kamailio: Kamailio, line: Line, uri: str) -> None:
    with udp(kamailio.udp) as client:
        request = Request(method="OPTIONS", over="UDP", port=client.port, call=str(uuid.uuid4()), uri=uri)
        answer = answer_to(client, bytes(request))

    assert answer.status == 407
