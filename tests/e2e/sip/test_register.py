"""Registering with a token: who may, who may not, and what either is told."""

import json
import re
import time
import uuid
from pathlib import Path

import pytest

from frontends.kamailio.local import Kamailio
from tests.e2e.sip.clients import answer_to, tcp, udp
from tests.e2e.sip.issuing import DOMAIN, Desk, User, exp_of
from tests.e2e.sip.line import Line
from tests.e2e.sip.messages import Message, Request
from tests.e2e.sip.stand import API_KEY, Phones, bearer, expires_of, proxy
from tools.events import samples

ALICE = User("alice-web", "alice")
ANOTHER_DOMAIN = "elsewhere.example"
NO_TOKENS = (
    *("nonsense", "a.b", "a.b.", "a.b.c.d", ".", "a b.c.d", "a.b.c=", "ä.b.c"),
    "a.b.c, Bearer a.b.c",
)
KILOBYTES = {"a few": 4_000, "more than API Gateway lets a header have": 12_000}
BEYOND_THE_SERVICES_LIMIT = 17_000
DIGEST = f'Authorization: Digest username="alice", realm="{DOMAIN}", nonce="n", uri="sip:{DOMAIN}", response="r"'
FIFTY_YEARS = 50 * 365 * 86400


def is_challenge(answer: Message, *, error: str | None = None) -> bool:
    """Whether an answer asks for a bearer token, saying what was wrong with the last one (RFC 8898, section 2.1)."""
    challenge = answer.one("www-authenticate")
    return (
        answer.status == 401
        and challenge.startswith(f'Bearer realm="{DOMAIN}"')
        and (f'error="{error}"' in challenge if error else "error=" not in challenge)
    )


# --- Tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["UDP", "TCP"])
def test_a_good_token_registers_its_user(kamailio: Kamailio, phones: Phones, desk: Desk, over: str) -> None:
    user = desk.user()

    answer = phones.register(kamailio, user, desk.token(user), over=over)

    assert answer.status == 200
    assert answer.one("contact").startswith("<sip:phone@127.0.0.1:5060;transport=udp>")


def test_without_a_token_one_is_asked_for(kamailio: Kamailio, phones: Phones) -> None:
    answer = phones.register(kamailio, ALICE)

    assert is_challenge(answer)


def test_the_challenge_says_where_a_token_can_be_had(kamailio: Kamailio, phones: Phones) -> None:
    challenge = phones.register(kamailio, ALICE).one("www-authenticate")

    assert 'authz_server="https://login.example.com"' in challenge  # as settings.cfg says


def test_the_service_is_told_who_asks_for_whom_in_which_call(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    user = desk.user()
    token = desk.token(user)

    answer = phones.register(kamailio, user, token)

    asked = line.asked[-1]
    assert (asked.method, asked.path) == ("POST", "/authorize")
    assert json.loads(asked.body) == {
        "jwt_token": token,
        "from_user": user.name,
        "call_id": answer.one("call-id"),
        "deferred_status": "200",
    }
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-api-key"] == API_KEY
    assert "authorization" not in asked.headers


def test_an_expired_token_is_refused(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    assert is_challenge(phones.register(kamailio, ALICE, desk.expired()), error="invalid_token")


def test_a_forged_token_is_refused(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    assert is_challenge(phones.register(kamailio, ALICE, desk.forged(ALICE.tag)), error="invalid_token")


def test_a_token_of_an_unknown_tag_is_refused(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    assert is_challenge(phones.register(kamailio, ALICE, desk.forged("nobody")), error="invalid_token")


@pytest.mark.parametrize("nonsense", NO_TOKENS, ids=repr)
def test_what_is_no_token_is_refused_without_a_query(
    kamailio: Kamailio, phones: Phones, line: Line, nonsense: str
) -> None:
    before = len(line.asked)

    assert is_challenge(phones.register(kamailio, ALICE, nonsense), error="invalid_token")
    assert len(line.asked) == before


@pytest.mark.parametrize("size", KILOBYTES.values(), ids=KILOBYTES)
def test_a_large_token_is_accepted(kamailio: Kamailio, phones: Phones, desk: Desk, size: int) -> None:
    user = desk.user()
    token = desk.token(user, claims={"ballast": "x" * (size * 3 // 4)})

    assert len(token) > size
    assert phones.register(kamailio, user, token, over="TCP").status == 200


def test_a_token_beyond_the_services_limit_is_refused(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    ballast = "x" * (BEYOND_THE_SERVICES_LIMIT * 3 // 4)
    token = desk.noted(samples.token(ALICE.tag, ballast=ballast).text)

    assert is_challenge(phones.register(kamailio, ALICE, token, over="TCP"), error="invalid_token")


def test_a_token_too_large_for_anything_harms_nobody(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    """Kamailio reads no message of this size; it ends the connection, and goes on for all others.

    Datagrams it overlooks from 32 kB on, the same process reads the next one; only 5.6 answers them.
    """
    token = desk.noted(samples.token(ALICE.tag, ballast="x" * 150_000).text)
    request = bytes(Request(call=str(uuid.uuid4()), more=[bearer(token), "Expires: 600"]))

    with tcp(kamailio.tcp) as client, pytest.raises(ConnectionError):
        answer_to(client, request)
    with udp(kamailio.udp) as client:
        large = Request(over="UDP", port=client.port, call=str(uuid.uuid4()), more=[bearer(token[:60_000])])
        client.send(bytes(large))
        small = Request(over="UDP", port=client.port, call=str(uuid.uuid4()))
        assert answer_to(client, bytes(small)).status == 401

    user = desk.user()
    assert phones.register(kamailio, user, desk.token(user), over="TCP").status == 200


# --- Who asks for whom ------------------------------------------------------------------------------------------------


def test_a_token_of_somebody_else_is_forbidden(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    mallory, victim = desk.user("mallory"), desk.user("victim")

    assert phones.register(kamailio, victim, desk.token(mallory)).status == 403


def test_from_other_than_to_is_forbidden_without_a_query(
    kamailio: Kamailio, phones: Phones, desk: Desk, line: Line
) -> None:
    """Or who may be mallory could register as the victim: a registrar binds the address in To."""
    mallory, victim = desk.user("mallory"), desk.user("victim")
    token, before = desk.token(mallory), len(line.asked)

    assert phones.register(kamailio, victim, token, sender=mallory.uri).status == 403
    assert len(line.asked) == before


@pytest.mark.parametrize("domain", [ANOTHER_DOMAIN, f"{DOMAIN}.elsewhere.example", "example.com"])
def test_a_foreign_domain_is_forbidden(kamailio: Kamailio, phones: Phones, desk: Desk, domain: str) -> None:
    user = desk.user()

    assert phones.register(kamailio, user, desk.token(user), domain=domain).status == 403


def test_a_user_in_the_request_uri_is_forbidden(kamailio: Kamailio, desk: Desk) -> None:
    """RFC 3261, section 10.2: who is registered, stands in To alone."""
    user = desk.user()
    request = Request(user=user.name, uri=f"sip:boss@{DOMAIN}", call=str(uuid.uuid4()), more=[bearer(desk.token(user))])

    with tcp(kamailio.tcp) as client:
        assert answer_to(client, bytes(request)).status == 403


def test_a_domain_in_capitals_is_the_same_domain(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()

    assert phones.register(kamailio, user, desk.token(user), domain=DOMAIN.upper()).status == 200


def test_with_several_domains_the_profiles_domain_counts(
    line: Line, phones: Phones, desk: Desk, tmp_path: Path
) -> None:
    """Or alice of one could register as alice of the other."""
    domains = f"{DOMAIN},{ANOTHER_DOMAIN}"
    here, there, nowhere = desk.user(), desk.user(domain=ANOTHER_DOMAIN), desk.user(domain=None)
    token = desk.token(here)

    with proxy(tmp_path / "kamailio", line.url, desk, SIP_DOMAINS=domains, WITH_FROM_DOMAIN=True) as kamailio:
        answers = {
            (user, domain): phones.register(kamailio, user, desk.token(user), domain=domain).status
            for user in (here, there, nowhere)
            for domain in (DOMAIN, ANOTHER_DOMAIN)
        }
        realm = phones.register(kamailio, there, domain=ANOTHER_DOMAIN).one("www-authenticate")
        own, other = (f"sip:{here.name}@{domain}" for domain in (DOMAIN, ANOTHER_DOMAIN))
        mixed = ((own, f"sip:{ANOTHER_DOMAIN}"), (other, f"sip:{DOMAIN}"), (other, f"sip:{ANOTHER_DOMAIN}"))
        with tcp(kamailio.tcp) as client:
            refused = [
                answer_to(
                    client,
                    bytes(Request(call=str(uuid.uuid4()), from_uri=own, to_uri=to, uri=uri, more=[bearer(token)])),
                ).status
                for to, uri in mixed
            ]

    assert [who for who, status in answers.items() if status == 200] == [(here, DOMAIN), (there, ANOTHER_DOMAIN)]
    assert set(answers.values()) == {200, 403}
    assert realm.startswith(f'Bearer realm="{ANOTHER_DOMAIN}"')
    assert refused == [403, 403, 403]


def test_users_of_two_domains_who_have_one_name_have_phones_of_their_own(
    line: Line, phones: Phones, desk: Desk, tmp_path: Path
) -> None:
    here = desk.user("twin")
    there = desk.user(exactly=here.name, domain=ANOTHER_DOMAIN)
    domains = f"{DOMAIN},{ANOTHER_DOMAIN}"

    with proxy(tmp_path / "kamailio", line.url, desk, SIP_DOMAINS=domains, WITH_FROM_DOMAIN=True) as kamailio:
        phones.register(kamailio, here, desk.token(here), contact_port=5071)
        answer = phones.register(kamailio, there, desk.token(there), domain=ANOTHER_DOMAIN, contact_port=5072)

    assert answer.status == 200
    assert ["5071" in contact for contact in answer.all("contact")] == [False]


def test_a_user_in_capitals_is_another_user(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()

    assert phones.register(kamailio, User(user.tag, user.name.upper()), desk.token(user)).status == 403


def test_users_who_differ_in_capitals_alone_have_phones_of_their_own(
    kamailio: Kamailio, phones: Phones, desk: Desk
) -> None:
    small = desk.user("dora")
    large = desk.user(exactly=small.name.upper())
    phones.register(kamailio, small, desk.token(small), contact_port=5071)

    answer = phones.register(kamailio, large, desk.token(large), contact_port=5072)

    assert answer.status == 200
    assert ["5071" in contact for contact in answer.all("contact")] == [False]


def test_escapes_do_not_make_one_user_another(kamailio: Kamailio, desk: Desk) -> None:
    """`%61lice` is alice (RFC 3261, section 19.1.4): hers to register, and no way around her for anybody else."""
    alice, mallory = desk.user("alice"), desk.user("mallory")
    escaped = "".join(f"%{ord(letter):02x}" for letter in alice.name)

    with tcp(kamailio.tcp) as client:
        by_mallory = answer_to(
            client, bytes(Request(call=str(uuid.uuid4()), user=escaped, more=[bearer(desk.token(mallory))]))
        )
        by_herself = answer_to(
            client, bytes(Request(call=str(uuid.uuid4()), user=escaped, more=[bearer(desk.token(alice))]))
        )
        plain = answer_to(
            client,
            bytes(Request(call=str(uuid.uuid4()), user=alice.name, contact=0, more=[bearer(desk.token(alice))])),
        )

    assert (by_mallory.status, by_herself.status) == (403, 200)
    assert len(plain.all("contact")) == 1  # one address of record, however it is written


@pytest.mark.parametrize(
    "address",
    ["sip:@sip.example.com", "sip:sip.example.com", "sip:anonymous@anonymous.invalid", "tel:+4930123456"],
)
def test_nobody_registers_without_a_name(kamailio: Kamailio, desk: Desk, address: str) -> None:
    user = desk.user()
    more = [bearer(desk.token(user))]

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, bytes(Request(call=str(uuid.uuid4()), from_uri=address, to_uri=address, more=more)))

    assert answer.status in (400, 403)


# --- How a token is shown ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_written_as_one_likes(kamailio: Kamailio, phones: Phones, desk: Desk, scheme: str) -> None:
    user = desk.user()

    assert phones.register(kamailio, user, headers=[bearer(desk.token(user), scheme=scheme)]).status == 200


@pytest.mark.parametrize(
    "header",
    [
        DIGEST,
        "Authorization: Basic YWxpY2U6cHc=",
    ],
)
def test_another_scheme_is_no_token(kamailio: Kamailio, phones: Phones, line: Line, header: str) -> None:
    before = len(line.asked)

    assert is_challenge(phones.register(kamailio, ALICE, headers=[header]))
    assert len(line.asked) == before


def test_another_scheme_may_stand_beside_a_token(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    """RFC 3261, section 22.3: a client may answer several challenges at once."""
    user = desk.user()

    assert phones.register(kamailio, user, headers=[DIGEST, bearer(desk.token(user))]).status == 200


def test_two_tokens_are_too_many(kamailio: Kamailio, phones: Phones, desk: Desk, line: Line) -> None:
    """Whichever was believed, another server on the way could believe the other."""
    user, other = desk.user(), desk.user()
    headers, before = [bearer(desk.token(user)), bearer(desk.token(other))], len(line.asked)

    answer = phones.register(kamailio, user, headers=headers)

    assert answer.status in (400, 401)
    assert len(line.asked) == before


def test_a_token_in_the_proxys_header_registers_nobody(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()
    header = f"Proxy-{bearer(desk.token(user))}"

    assert is_challenge(phones.register(kamailio, user, headers=[header]))


# --- For how long -----------------------------------------------------------------------------------------------------


def test_no_registration_outlives_its_token(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()
    token = desk.token(user, seconds=120)
    ends, began = exp_of(token), int(time.time())

    answer = phones.register(kamailio, user, token, expires=3600)

    assert began + expires_of(answer) <= ends < time.time() + expires_of(answer) + 20


def test_nor_a_token_that_is_about_to_end(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    """Registrars have a least time of their own, by default a minute."""
    user = desk.user()

    answer = phones.register(kamailio, user, desk.token(user, seconds=30), expires=3600)

    assert 0 < expires_of(answer) <= 30


def test_nor_one_whose_time_stands_at_the_contact(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()
    token = desk.token(user, seconds=120)

    answer = phones.register(kamailio, user, token, expires=None, contact_params=";expires=3600")

    assert 100 < expires_of(answer) <= 120


def test_nor_one_that_names_no_time(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()

    answer = phones.register(kamailio, user, desk.token(user, seconds=120), expires=None)

    assert 100 < expires_of(answer) <= 120


CONTACTS = (
    ["Contact: <sip:a@127.0.0.1>;expires=3600, <sip:b@127.0.0.1>;expires=3600"],
    ["Contact: <sip:a@127.0.0.1>;expires=3600", "Contact: <sip:b@127.0.0.1>;expires=3600"],
    ["Contact: <sip:a@127.0.0.1>;expires=3600, <sip:b@127.0.0.1>"],
    ["Contact: <sip:a@127.0.0.1>, <sip:b@127.0.0.1>", "Expires: 3600"],
    ["Contact: <sip:a@127.0.0.1>, <sip:b@127.0.0.1>"],
    ["Contact: <sip:a@127.0.0.1>;expires=0, <sip:b@127.0.0.1>"],
    ["Contact: <sip:a@127.0.0.1>;expires=0, <sip:b@127.0.0.1>;expires=3600"],
    ["Contact: <sip:a@127.0.0.1>;expires=60, <sip:b@127.0.0.1>;expires=3600"],
    ["Contact: <sip:a@127.0.0.1>;EXPIRES = 3600", "Contact: <sip:b@127.0.0.1>;expires=99999999999"],
    ["Contact: <sip:a@127.0.0.1>, <sip:b@127.0.0.1>;expires=3600", "Expires: 0"],
    ["Contact: <sip:a@127.0.0.1>;expires=60", *["Contact: <sip:b@127.0.0.1>;expires=soon"] * 101],
    ["m: <sip:a@127.0.0.1>;expires=3600", "Expires: 99999999999"],
    ["Contact: <sip:a@127.0.0.1;expires=1>;q=0.5;expires=3600", "Expires: 60"],
    ["Contact: sip:a@127.0.0.1;expires=3600"],
    ["Contact: <sip:a@127.0.0.1>", "Expires: soon"],
    ["Contact: <sip:a@127.0.0.1>;expires=soon"],
    ['Contact: <sip:a@127.0.0.1>;expires="3600"'],
    ["Contact: <sip:a@127.0.0.1>;expires=-1"],
)


@pytest.mark.parametrize("contacts", CONTACTS, ids=lambda lines: " / ".join(lines).replace("sip:", ""))
def test_however_a_contact_is_written_it_ends_with_the_token(
    kamailio: Kamailio, desk: Desk, contacts: list[str]
) -> None:
    """What cannot be read may be refused."""
    user = desk.user()
    more = [*contacts, bearer(desk.token(user, seconds=120))]

    with tcp(kamailio.tcp) as client:
        answer = answer_to(client, bytes(Request(user=user.name, contact=0, call=str(uuid.uuid4()), more=more)))

    granted = [int(seconds) for seconds in re.findall(r";expires=(\d+)", " ".join(answer.all("contact")))]
    assert answer.status in (200, 400)
    assert bool(granted) == (answer.status == 200)
    assert all(0 < seconds <= 120 for seconds in granted)


def test_a_shorter_registration_is_granted_as_it_is(kamailio: Kamailio, phones: Phones, desk: Desk) -> None:
    user = desk.user()

    assert expires_of(phones.register(kamailio, user, desk.token(user), expires=60)) == 60


def test_a_token_that_ends_after_2038_is_good_until_the_registrars_own_limit(
    kamailio: Kamailio, phones: Phones, desk: Desk
) -> None:
    """Kamailio counts by 32 bits."""
    user = desk.user()

    answer = phones.register(kamailio, user, desk.token(user, seconds=FIFTY_YEARS), expires=10**6)

    assert answer.status == 200
    assert expires_of(answer) == 3600


@pytest.mark.parametrize("params", ["", ";expires=0"], ids=["Expires: 0", "expires=0 at the contact"])
def test_zero_stays_zero_and_unregisters(kamailio: Kamailio, phones: Phones, desk: Desk, params: str) -> None:
    user = desk.user()
    token = desk.token(user)
    registered = phones.register(kamailio, user, token)

    answer = phones.register(kamailio, user, token, expires=None if params else 0, contact_params=params)

    assert (registered.status, answer.status) == (200, 200)
    assert registered.all("contact") != []
    assert answer.all("contact") == []
