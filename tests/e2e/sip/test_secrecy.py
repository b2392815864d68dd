"""No token is ever in a log, whatever comes. Every other log is searched as well, at its end: `stand.proxy`."""

import uuid

from tests.e2e.sip.clients import answer_to, tcp, udp
from tests.e2e.sip.issuing import DOMAIN, Desk
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Request
from tests.e2e.sip.stand import Phones, bearer, proxy, proxy_bearer

BROKEN = {
    "no Via": ("Via: ", "X-Via: "),
    "a Via that is none": ("Via: SIP/2.0/UDP ", "Via: nonsense "),
    "no CSeq": ("CSeq: ", "X-CSeq: "),
    "a CSeq that is none": ("CSeq: 1 ", "CSeq: one "),
    "no Call-ID": ("Call-ID: ", "X-Call-ID: "),
    "a From that is none": ("From: <sip:", "From: <<<"),
    "a To that is none": ("To: <sip:", "To: >"),
    "a Contact that is none": ("Contact: <sip:", "Contact: <"),
    "a Request-URI that is none": (f"REGISTER sip:{DOMAIN}", "REGISTER ;;;"),
    "no version": (" SIP/2.0\r\nVia", "\r\nVia"),
    "another version": (" SIP/2.0\r\nVia", " SIP/3.0\r\nVia"),
    "a body shorter than it says": ("Content-Length: 0", "Content-Length: 1000"),
    "a length that is none": ("Content-Length: 0", "Content-Length: many"),
    "a line that is no header": ("Max-Forwards: 70", "Max-Forwards"),
    "a header that never ends": ("Max-Forwards: 70", "Max-Forwards: \x00\xff"),
    "no hops left": ("Max-Forwards: 70", "Max-Forwards: 0"),
    "an Expires that is none": ("Content-Length: 0", "Expires: soon\r\nContent-Length: 0"),
}


def test_no_line_of_the_log_holds_a_token(line: Line, phones: Phones, desk: Desk) -> None:
    user = desk.user()
    folder = phones.new_folder()

    with proxy(folder, line.url, desk) as kamailio:
        for change in BROKEN.values():
            for header in (bearer(desk.token(user)), proxy_bearer(desk.token(user))):
                request = Request(user=user.name, call=str(uuid.uuid4()), more=[header])
                broken = bytes(request).decode().replace(*change).encode("latin-1")
                with udp(kamailio.udp) as datagrams, tcp(kamailio.tcp) as stream:
                    datagrams.send(broken.replace(b"TCP", b"UDP"))
                    stream.send(broken)
        with line.down():
            assert phones.register(kamailio, user, desk.token(user)).status == 503
        assert phones.register(kamailio, user, desk.token(user)).status == 200
        with tcp(kamailio.tcp) as client:
            assert answer_to(client, bytes(Request(user=user.name, call="last"))).status == 401
        log = kamailio.log.read_text("utf-8", "replace")

    assert "cannot tell" in log  # it is the log, and it says what an operator needs
    assert desk.found_in(kamailio.log) == []


def test_the_search_finds_a_token(desk: Desk, phones: Phones) -> None:
    token = desk.token(desk.user())
    folder = phones.new_folder()
    folder.mkdir(parents=True)
    log = folder / "log"

    log.write_text(f"nothing\nAuthorization: Bearer {token}\n{token.split('.')[2]}\n", "utf-8")

    assert len(desk.found_in(log)) == 2
