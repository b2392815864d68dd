"""What the registrar refuses: with a reason of its own for each, and without an error of ours."""

import random
import re
import uuid
from dataclasses import replace

import pytest

from frontends.kamailio.local import HERE, Kamailio
from tests.e2e.sip.clients import answer_to, tcp
from tests.e2e.sip.issuing import Desk
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Request
from tests.e2e.sip.stand import asking, bearer, contacts

MAX_CONTACTS = 10
LONGEST_NAME = 64
"""That every version of Kamailio registers: 5.6 no longer one, 6.0 up to some 240."""
TOO_LONG_FOR_ALL = 250
INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-4000-8000-000000000001>"'

SEED, MANY = 5060, 120
PARTS = [
    *'<>";,=\\? @é',
    *("sip:", "a", "127.0.0.1", ":5060", "[::1]", "0.5", "%41", "\r\n ", ";;", "<sip:b@127.0.0.1>"),
    *(";q=0.5", ";q=1.5", ";q=", ";q", ';Q="0.5"', ";expires=60", ";expires", ";reg-id=1", ";reg-id=0", f";{INSTANCE}"),
    *(';methods="INVITE"', ";methods=", ";received=x", ';+sip.instance=""', ";x=y"),
]

REFUSED = {
    "a star without Expires": (["Contact: *"], 400, "Contact * wants Expires 0 and nothing beside it"),
    "a star that is to stay": (["Contact: *", "Expires: 60"], 400, "Contact * wants Expires 0 and nothing beside it"),
    "a star beside a contact": (
        ["Contact: *", "Contact: <sip:a@127.0.0.1>", "Expires: 0"],
        400,
        "Contact * wants Expires 0 and nothing beside it",
    ),
    "a star behind a contact": (
        ["Contact: <sip:a@127.0.0.1>", "Contact: *", "Expires: 0"],
        400,
        "Contact * wants Expires 0 and nothing beside it",
    ),
    "a bracket that stays open": (["Contact: <sip:a@127.0.0.1"], 400, "Bad Contact"),
    "a quote that stays open": (['Contact: "a <sip:a@127.0.0.1>'], 400, "Bad Contact"),
    "no URI": (["Contact: a"], 400, "Bad Contact"),
    "nothing": (["Contact: "], 400, "Bad Contact"),
    "something between URI and parameters": (["Contact: <sip:a@127.0.0.1>x;q=7"], 400, "Bad Contact"),
    "a URI that nobody calls": (["Contact: <mailto:a@127.0.0.1>"], 400, "Bad Contact"),
    "a second one that cannot be read": (["Contact: <sip:a@127.0.0.1>", "Contact: <sip:b@"], 400, "Bad Contact"),
    "a q beyond 1": (["Contact: <sip:a@127.0.0.1>;q=2"], 400, "Bad q"),
    "a q that is no number": (["Contact: <sip:a@127.0.0.1>;expires=60;Q=high"], 400, "Bad q"),
    "a q of the second one": (["Contact: <sip:a@127.0.0.1>;q=0.5, <sip:b@127.0.0.1>;q=1.5"], 400, "Bad q"),
    "reg-id 0": ([f"Contact: <sip:a@127.0.0.1>;{INSTANCE};reg-id=0"], 400, "Bad reg-id"),
    "a reg-id that is no number": ([f"Contact: <sip:a@127.0.0.1>;reg-id=one;{INSTANCE}"], 400, "Bad reg-id"),
    "methods that are none": (['Contact: <sip:a@127.0.0.1>;methods="INVITE;BYE"'], 400, "Bad methods"),
    "a long URI": ([f"Contact: <sip:{'a' * 600}@127.0.0.1>"], 400, "Contact too long"),
    "more contacts than there may be": (
        [f"Contact: <sip:a{number}@127.0.0.1>" for number in range(MAX_CONTACTS + 1)],
        400,
        "Too many contacts",
    ),
    "more of them in one line": (
        ["Contact: " + ", ".join(f"<sip:a{number}@127.0.0.1>" for number in range(MAX_CONTACTS + 1))],
        400,
        "Too many contacts",
    ),
    "outbound": (["Contact: <sip:a@127.0.0.1>", "Require: outbound"], 420, "Bad Extension"),
    "outbound among others": (["Contact: <sip:a@127.0.0.1>", "Require: gruu,\r\n Outbound"], 420, "Bad Extension"),
}
TAKEN = {
    "q 0": ["Contact: <sip:a@127.0.0.1>;q=0"],
    "q 0.5": ["Contact: <sip:a@127.0.0.1>;q=0.5"],
    "q 1.000": ["Contact: <sip:a@127.0.0.1>;q=1.000"],
    "q of a URI, which is none": ["Contact: <sip:a@127.0.0.1;q=7;reg-id=0>"],
    "reg-id 1": [f"Contact: <sip:a@127.0.0.1>;{INSTANCE};reg-id=1"],
    "methods": ['Contact: <sip:a@127.0.0.1>;methods="INVITE, X-Y.z ,BYE"'],
    "a URI without brackets": ["Contact: sip:a@127.0.0.1;q=0.5"],
    "as JsSIP writes it": [f"Contact: <sip:a@b.invalid;transport=ws>;+sip.ice;reg-id=1;{INSTANCE};expires=600"],
    "blanks and folds": ["Contact: Alice B. <sip:a@127.0.0.1>\r\n ; q = 0.5 ;\r\n\texpires = 60"],
    "parameters of others": ['Contact: <sip:a@127.0.0.1>;+g.3gpp.icsi-ref="urn%3A,;<q=7>";audio;description="<PCMU>"'],
    "IPv6": ["Contact: <sip:a@[2001:db8::1]:5060;transport=tcp>;isfocus"],
    "a name before it": ['Contact: "q=7;reg-id=0 * <" <sip:a@127.0.0.1>'],
    "as many as there may be": [f"Contact: <sip:a{number}@127.0.0.1>" for number in range(MAX_CONTACTS)],
    "gruu": ["Contact: <sip:a@127.0.0.1>", "Require: gruu"],
    "outbound, if it can be had": ["Contact: <sip:a@127.0.0.1>", "Supported: path, gruu, outbound"],
}


@pytest.mark.parametrize(("lines", "status", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_registered_is_refused_with_the_reason_and_without_a_query(
    kamailio: Kamailio, desk: Desk, line: Line, lines: list[str], status: int, reason: str
) -> None:
    user = desk.user()
    token, before = desk.token(user), len(line.asked)

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, bytes(asking(user, token, *lines)))
        asked = line.asked[before:]
        registered = answer_to(client, bytes(asking(user, token)))

    assert answer.start == f"SIP/2.0 {status} {reason}"
    assert answer.all("unsupported") == ["outbound"] * (status == 420)
    assert asked == []
    assert contacts(registered) == []


@pytest.mark.parametrize("lines", TAKEN.values(), ids=TAKEN)
def test_what_looks_like_it_is_registered(kamailio: Kamailio, desk: Desk, lines: list[str]) -> None:
    user = desk.user()

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, bytes(asking(user, desk.token(user), *lines)))

    assert answer.status == 200
    assert answer.all("contact") != []


def test_whatever_a_contact_is_made_of_it_is_registered_or_refused_and_no_error_of_ours(
    kamailio: Kamailio, desk: Desk
) -> None:
    user = desk.user()
    token, dice = desk.token(user), random.Random(SEED)
    logged, answers = kamailio.log.stat().st_size, []

    with tcp(kamailio.tcp) as client:
        for _ in range(MANY):
            whole = dice.choice(["<sip:a@127.0.0.1>", '"x" <sip:a@127.0.0.1>', "sip:a@127.0.0.1", ""])
            garbled = whole + "".join(dice.choices(PARTS, k=dice.randint(1, 5)))
            answer = answer_to(client, bytes(asking(user, token, f"Contact: {garbled}")))
            answers.append((answer.status, garbled))
            answer_to(client, bytes(asking(user, token, "Contact: *", "Expires: 0")))

    assert [(status, garbled) for status, garbled in answers if status not in (200, 400)] == []
    assert {200, 400} == {status for status, _ in answers}
    assert b"ERROR" not in kamailio.log.read_bytes()[logged:]


def test_a_star_with_expires_0_ends_all_registrations(kamailio: Kamailio, desk: Desk) -> None:
    user = desk.user()
    token = desk.token(user)

    with tcp(kamailio.tcp) as client:
        for name in ("a", "b"):
            before = answer_to(client, bytes(asking(user, token, f"Contact: <sip:{name}@127.0.0.1>")))
        answer = answer_to(client, bytes(asking(user, token, "Contact: *", "Expires: 0")))
        afterwards = answer_to(client, bytes(asking(user, token)))

    assert len(contacts(before)) == 2
    assert answer.status == 200
    assert contacts(afterwards) == []


@pytest.mark.parametrize("path", ["kamailio", "remembering"])
def test_an_older_request_of_the_same_call_changes_nothing(
    path: str, desk: Desk, request: pytest.FixtureRequest
) -> None:
    """RFC 3261, section 10.3: it was sent before, and has been overtaken. The same one again is no older one."""
    kamailio: Kamailio = request.getfixturevalue(path)
    user = desk.user()
    latest = Request(call=str(uuid.uuid4()), user=user.name, sequence=7, more=[bearer(desk.token(user)), "Expires: 60"])

    with tcp(kamailio.tcp) as client:
        first = answer_to(client, bytes(latest))
        older = answer_to(client, bytes(replace(latest, sequence=6, more=[latest.more[0], "Expires: 0"])))
        newer = answer_to(client, bytes(replace(latest, sequence=8)))

    assert [first.status, newer.status] == [200, 200]
    assert older.start == "SIP/2.0 400 CSeq is not above the last one"
    assert len(contacts(newer)) == 1


@pytest.mark.parametrize("path", ["kamailio", "remembering"])
def test_a_name_too_long_for_the_registrar_is_told_so(path: str, desk: Desk, request: pytest.FixtureRequest) -> None:
    kamailio: Kamailio = request.getfixturevalue(path)
    long, longest = (desk.user(exactly=f"{uuid.uuid4()}".ljust(size, "x")) for size in (TOO_LONG_FOR_ALL, LONGEST_NAME))

    with tcp(kamailio.tcp) as client:
        answers = [
            answer_to(client, bytes(asking(user, desk.token(user), "Contact: <sip:a@127.0.0.1>")))
            for user in (long, longest)
        ]

    assert answers[0].start == "SIP/2.0 403 User name too long"
    assert answers[1].status == 200


def test_every_reason_is_listed_for_who_runs_it() -> None:
    routes = (HERE / "kamailio.cfg").read_text("utf-8")
    told = [
        reason
        for route in ("REGISTRABLE", "NOT_SAVED")
        for reason in re.findall(
            r'send_reply\("(\d+)", "([^"]+)"\)', routes.partition(f"route[{route}] {{")[2].partition("\n}\n")[0]
        )
    ]
    page = (HERE / "README.md").read_text("utf-8")

    assert {reason for _, _, reason in REFUSED.values()} < {reason for _, reason in told}
    assert [reason for status, reason in told if f"{status} `{reason}`" not in page] == []
